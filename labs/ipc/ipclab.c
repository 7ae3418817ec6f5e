/*
 * ipclab.c - lab ipc: the fast path.
 *
 *   ipclab fast    a call to a server that waits on this CPU, and the reply,
 *                  take the fast path
 *   ipclab right   whatever way it takes, a message arrives as it was sent:
 *                  words, labels, badges, handles, errors
 *
 * Exit status 1: a line says what is not so.
 */
#include "labs/lab.h"

#define ROUNDS 2000u
#define QUIT 1u
#define ECHO 2u

static handle_t ep;
static int server_cpu;

/* Adds 1 to each word, and gives back the handle and, as label, the badge. */
static void serve(void *arg)
{
	struct weir_msg m;
	long error = sys_ipc_recv(ep, &m);

	(void)arg;
	while (error == 0 && m.label != QUIT) {
		for (unsigned i = 0; i < 5; i++)
			m.w[i]++;
		m.label = m.badge;
		error = sys_ipc_reply_recv(ep, &m);
	}
	if (error == 0)
		sys_ipc_reply(&m);
}

static struct uthread *server(int cpu)
{
	struct uthread *t;

	ep = (handle_t)sys_ep_create();
	server_cpu = cpu;
	t = uthread_start(serve, NULL, cpu);
	CHECK(t);
	return t;
}

static void quit(struct uthread *t)
{
	struct weir_msg m = { .label = QUIT };

	CHECK(sys_ipc_call(ep, &m) == 0);
	uthread_join(t);
	sys_handle_close(ep);
}

static bool echo(handle_t to, uint64_t n, uint64_t badge)
{
	struct weir_msg m = { .label = ECHO,
			      .w = { n, n * 3, ~n, n << 32, 0 } };
	bool good = sys_ipc_call(to, &m) == 0;

	return good && m.w[0] == n + 1 && m.w[1] == n * 3 + 1 &&
	       m.w[2] == ~n + 1 && m.w[3] == (n << 32) + 1 && m.w[4] == 1 &&
	       m.label == badge && m.badge == 0 && m.handle == 0;
}

static uint64_t fast_of(int cpu)
{
	struct uthread *t = server(cpu);
	uint64_t before, wrong = 0;

	uthread_pin(0);
	CHECK(echo(ep, 1, 0)); /* from here on the server waits in a reply */
	before = counter(WEIR_C_ipc_fast);
	for (uint64_t i = 0; i < ROUNDS; i++)
		wrong += !echo(ep, i, 0);
	before = counter(WEIR_C_ipc_fast) - before;
	CHECK(wrong == 0);
	quit(t);
	return before;
}

static void fast(void)
{
	struct weir_system sys;
	uint64_t n = fast_of(0);

	/* Not where a timer's interrupt comes between. */
	CHECK(n >= 2 * ROUNDS - ROUNDS / 4);
	printf("fast: %llu messages of %u\n", (unsigned long long)n,
	       2 * ROUNDS);
	lab_part("same CPU");
	system_read(&sys);
	if (sys.cpus > 1) {
		CHECK(fast_of(1) < ROUNDS / 4);
		lab_part("other CPU");
	}
}

static void right_badges(void)
{
	handle_t badged = (handle_t)sys_handle_dup(ep, WEIR_R_WRITE, 77);
	handle_t reader = (handle_t)sys_handle_dup(ep, WEIR_R_READ, 0);
	struct weir_msg m = { .label = ECHO };

	for (uint64_t i = 0; i < 100; i++) {
		CHECK(echo(badged, i, 77));
		CHECK(echo(ep, i, 0));
	}
	CHECK(sys_ipc_call(reader, &m) == -WEIR_ERIGHTS);
	sys_handle_close(reader);
	sys_handle_close(badged);
	CHECK(sys_ipc_call(badged, &m) == -WEIR_EHANDLE);
}

static void right_handles(void)
{
	handle_t moved = (handle_t)sys_ntfn_create();

	for (unsigned i = 0; i < 50; i++) {
		struct weir_msg m = { .label = ECHO, .handle = moved };

		CHECK(sys_ipc_call(ep, &m) == 0 && m.handle);
		moved = m.handle;
		CHECK(sys_ntfn_signal(moved, 1) == 0);
		CHECK(echo(ep, i, 0));
	}
	sys_handle_close(moved);
}

/* Calls from all CPUs at once; some of them find the server busy. */
static unsigned wrong;

static void caller(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < ROUNDS; i++)
		if (!echo(ep, i, 0))
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
}

static void right_crowd(void)
{
	struct uthread *t[16];
	struct weir_system sys;

	system_read(&sys);
	for (unsigned i = 0; i < 2 * sys.cpus && i < 16; i++)
		t[i] = uthread_start(caller, NULL, (int)(i % sys.cpus));
	for (unsigned i = 0; i < 2 * sys.cpus && i < 16; i++)
		uthread_join(t[i]);
	CHECK(wrong == 0);
}

static void right(void)
{
	struct uthread *t = server(0);
	uint64_t quick = counter(WEIR_C_ipc_fast);

	uthread_pin(0);
	right_badges();
	right_handles();
	right_crowd();
	quit(t);
	CHECK(counter(WEIR_C_ipc_fast) - quick >= 100);
	lab_part("right");
}

int main(int argc, char **argv)
{
	static const struct lab_scene all[] = {
		{ "fast", fast }, { "right", right },
		{ NULL, NULL },
	};

	return lab_play(argc, argv, all);
}
