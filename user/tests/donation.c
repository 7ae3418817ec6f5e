/*
 * donation.c - a server works at its client's priority, and not longer.
 *
 *   donation
 *
 * All on CPU 0: we at 25, servers at 5 and 4, and between them one who spins
 * at 10. Where a priority is not passed on, the spinner keeps the server from
 * its work until a deadline, and where it is not given back, the server keeps
 * the spinner from answering. Exit status 1 if either was so.
 */
#include <string.h>

#include "user/lib/weir_user.h"

#define NS_PER_S 1000000000ull
#define PATIENCE_NS (10 * NS_PER_S)

enum { OURS = 25, CLIENTS = 20, SPINS = 10, FIRST = 5, SECOND = 4 };
/* What a server is asked: to reply, to ask the other one first, to change
 * its own priority first, to go on after its reply, or not to reply. */
enum { WORK = 1, CHAIN, LOWER, AFTER, HOLD, QUIT };

static handle_t eps[2], held;
static unsigned failures, checks;

static void check(bool ok, const char *what)
{
	checks++;
	if (ok)
		return;
	failures++;
	printf("donation: not so: %s\n", what);
}

static void set_prio(unsigned prio)
{
	sys_thread_ctl(0, WEIR_THREAD_PRIO, prio);
}

/* --- the spinner ---------------------------------------------------------- */
static struct {
	struct uthread *thread;
	handle_t ready, asked;
	uint32_t ask, stop, late;
} spinner;

static void spin(void *arg)
{
	uint64_t end = now_ns() + PATIENCE_NS;

	(void)arg;
	set_prio(SPINS);
	sys_ntfn_signal(spinner.ready, 1);
	while (!__atomic_load_n(&spinner.stop, __ATOMIC_ACQUIRE)) {
		if (now_ns() > end) {
			spinner.late = 1;
			return;
		}
		if (__atomic_exchange_n(&spinner.ask, 0, __ATOMIC_ACQ_REL))
			sys_ntfn_signal(spinner.asked, 1);
	}
}

static void spinner_start(void)
{
	spinner.stop = spinner.late = 0;
	spinner.thread = uthread_start(spin, NULL, 0);
	sys_ntfn_wait(spinner.ready, 1, 0, NULL);
}

static void spinner_end(const char *what)
{
	check(!spinner.late, what);
	__atomic_store_n(&spinner.stop, 1, __ATOMIC_RELEASE);
	uthread_join(spinner.thread);
}

/* Waits until the spinner has run: whoever is above it had its turn. */
static void spinner_ask(void)
{
	__atomic_store_n(&spinner.ask, 1, __ATOMIC_RELEASE);
	sys_ntfn_wait(spinner.asked, 1, now_ns() + PATIENCE_NS, NULL);
}

/* --- the servers ---------------------------------------------------------- */
static uint64_t progress; /* of a server that should not run */

/* Until somebody sees that we run, or nobody cares any more. */
static void make_progress(void)
{
	uint64_t end = now_ns() + PATIENCE_NS;

	while (!spinner.stop && now_ns() < end) {
		__atomic_add_fetch(&progress, 1, __ATOMIC_RELAXED);
		uthread_yield();
	}
}

static void serve(void *arg)
{
	unsigned self = (unsigned)(uintptr_t)arg;
	struct weir_msg m, on;
	long error;

	set_prio(self ? SECOND : FIRST);
	error = sys_ipc_recv(eps[self], &m);
	while (error == 0 && m.label != QUIT) {
		uthread_yield();
		on = (struct weir_msg){ .label = WORK };
		if (m.label == CHAIN)
			sys_ipc_call(eps[1], &on);
		if (m.label == LOWER) {
			set_prio(FIRST - 1);
			uthread_yield();
		}
		if (m.label == HOLD)
			sys_ntfn_signal(held, 1);
		if (m.label == AFTER)
			sys_ipc_reply(&m);
		if (m.label == HOLD || m.label == AFTER) {
			make_progress();
			error = sys_ipc_recv(eps[self], &m);
			continue;
		}
		error = sys_ipc_reply_recv(eps[self], &m);
	}
	sys_ipc_reply(&m);
}

static bool call(unsigned label, handle_t moved)
{
	struct weir_msg m = { .label = label, .handle = moved };
	bool ok = sys_ipc_call(eps[0], &m) == 0;

	if (m.handle)
		sys_handle_close(m.handle);
	return ok;
}

/* --- the promises --------------------------------------------------------- */
static void test_passed_on(void)
{
	spinner_start();
	for (unsigned i = 0; i < 100; i++)
		check(call(WORK, 0), "a call");
	spinner_end("the server ran at its client's priority");
	spinner_start();
	for (unsigned i = 0; i < 20; i++)
		check(call(WORK, (handle_t)sys_ntfn_create()), "a call");
	spinner_end("also on the slow path");
	spinner_start();
	for (unsigned i = 0; i < 20; i++)
		check(call(CHAIN, 0), "a call that goes on");
	spinner_end("and so did the server's own server");
	spinner_start();
	for (unsigned i = 0; i < 20; i++)
		check(call(LOWER, 0), "a call");
	spinner_end("also when its own priority was changed meanwhile");
}

static void test_given_back_by_reply(void)
{
	spinner_start();
	progress = 0;
	check(call(AFTER, 0), "a call");
	spinner_ask();
	check(progress == 0, "after its reply the server was below others");
	spinner_end("the spinner got its turn");
}

/* A client in another task, which is killed while it waits. */
static void test_given_back_by_death(void)
{
	char *argv[] = { "donation", "--client", NULL };
	struct spawn_options options = { .extra = { eps[0] },
					 .no_console = true };
	struct child child;
	uint64_t before;
	int status = -1;

	check(call(WORK, 0), "a call"); /* the server receives again */
	spinner_start();
	progress = 0;
	check(spawn("donation", argv, &options, &child) == 0, "spawn");
	sys_ntfn_wait(held, 1, 0, NULL);
	sleep_ns(NS_PER_S / 50);
	check(progress > 0, "the server works for its client");
	sys_task_kill(child.task, 9);
	check(child_wait(&child, &status) == 0 && status == 9, "its end");
	before = progress;
	spinner_ask();
	check(progress == before, "its client dead, the server was below");
	spinner_end("the spinner got its turn");
}

static void be_client(void)
{
	struct weir_msg m = { .label = HOLD };

	set_prio(CLIENTS);
	exit(sys_ipc_call(startup->extra[0], &m) == 0 ? 0 : 3);
}

int main(int argc, char **argv)
{
	struct uthread *servers[2];
	struct weir_msg m;

	if (argc > 1 && strcmp(argv[1], "--client") == 0)
		be_client();
	uthread_pin(0);
	set_prio(OURS);
	held = (handle_t)sys_ntfn_create();
	spinner.ready = (handle_t)sys_ntfn_create();
	spinner.asked = (handle_t)sys_ntfn_create();
	for (uintptr_t i = 0; i < 2; i++) {
		eps[i] = (handle_t)sys_ep_create();
		servers[i] = uthread_start(serve, (void *)i, 0);
	}
	check(call(CHAIN, 0), "a call"); /* both receive from here on */
	test_passed_on();
	test_given_back_by_reply();
	test_given_back_by_death();
	for (unsigned i = 0; i < 2; i++) {
		m = (struct weir_msg){ .label = QUIT };
		check(sys_ipc_call(eps[i], &m) == 0, "the last call");
		uthread_join(servers[i]);
	}
	printf("donation: %u checks, %u failed\n", checks, failures);
	return failures ? 1 : 0;
}
