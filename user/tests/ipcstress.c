/*
 * ipcstress.c - IPC in any mix: tasks of clients and of servers, on every
 * CPU, calls that move handles and calls that do not, servers that call on,
 * that forget their clients, that change CPU and priority; and all the time
 * one task or another is killed wherever it is, and replaced.
 *
 *   ipcstress [seed=N] [kills=N]
 *
 * Every reply is checked by its client. In the end the frames and the handles
 * are back (P4). Prints what it did; exit status 1 if something was wrong.
 * The seed repeats what each thread chooses, not how they meet.
 */
#include <stdio.h>
#include <string.h>

#include "user/tests/account.h"

#define CLIENTS 4u
#define SERVERS 4u
#define TASKS (CLIENTS + SERVERS)
#define KILLED 77
#define LOST_PAGES_MAX 64
#define NS_PER_MS 1000000ull

/* Servers of FRONT call BACK now and then; nobody there calls anybody. */
enum { FRONT, BACK, EPS };

static uint64_t seed = 1, kills = 60;
static uint64_t all_cpus;
static unsigned failures;

static uint64_t next_random(uint64_t *rng)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return *rng;
}

/* Never 0. */
static uint64_t random_of(uint64_t who)
{
	return (seed * TASKS * 1000 + who) * 0x9e3779b97f4a7c15ull | 1;
}

static void wander(uint64_t *rng)
{
	uint64_t mask = next_random(rng) & all_cpus;

	if (mask)
		sys_thread_ctl(0, WEIR_THREAD_AFFINITY, mask);
}

/* --- clients -------------------------------------------------------------- */
/* The reply to `sent` must be of it. */
static bool reply_fits(const struct weir_msg *sent, const struct weir_msg *got)
{
	for (unsigned i = 0; i < 5; i++)
		if (got->w[i] != ~sent->w[i])
			return false;
	return got->label == sent->label + 1 && got->badge == 0;
}

static void call_once(uint64_t *rng)
{
	handle_t ep = startup->extra[next_random(rng) % EPS];
	struct weir_msg sent, got;
	long error;

	sent = (struct weir_msg){ .label = next_random(rng) };
	for (unsigned i = 0; i < 5; i++)
		sent.w[i] = next_random(rng);
	if (next_random(rng) % 8 == 0)
		sent.handle = (handle_t)sys_ntfn_create();
	got = sent;
	error = sys_ipc_call(ep, &got);
	if (error == -WEIR_EPEER)
		got.handle = sent.handle; /* back already, or gone */
	else if (error || !reply_fits(&sent, &got))
		exit(3);
	if (got.handle)
		sys_handle_close(got.handle);
}

static void client(void *arg)
{
	uint64_t rng = random_of((uintptr_t)arg);

	for (;;) {
		call_once(&rng);
		if (next_random(&rng) % 64 == 0)
			wander(&rng);
	}
}

/* --- servers -------------------------------------------------------------- */
static void answer(unsigned which, struct weir_msg *m, uint64_t *rng)
{
	struct weir_msg on = { .label = 7, .w = { m->w[0] } };

	if (which == FRONT && next_random(rng) % 8 == 0) {
		if (sys_ipc_call(startup->extra[BACK], &on) == 0 &&
		    on.w[0] != ~m->w[0])
			exit(4);
		if (on.handle)
			sys_handle_close(on.handle);
	}
	if (m->handle && next_random(rng) % 2) {
		sys_handle_close(m->handle);
		m->handle = 0;
	}
	m->label++;
	for (unsigned i = 0; i < 5; i++)
		m->w[i] = ~m->w[i];
}

static void server(void *arg)
{
	uint64_t rng = random_of((uintptr_t)arg);
	unsigned which = (uintptr_t)arg % EPS;
	handle_t ep = startup->extra[which];
	struct weir_msg m;
	long error = sys_ipc_recv(ep, &m);

	while (error == 0) {
		uint64_t r = next_random(&rng) % 128;

		answer(which, &m, &rng);
		if (r == 0)
			wander(&rng);
		if (r == 1)
			sys_thread_ctl(0, WEIR_THREAD_PRIO,
				       15 + next_random(&rng) % 4);
		if (r < 4) { /* forgets its client */
			if (m.handle)
				sys_handle_close(m.handle);
			error = sys_ipc_recv(ep, &m);
		} else if (r < 8) {
			sys_ipc_reply(&m);
			error = sys_ipc_recv(ep, &m);
		} else {
			error = sys_ipc_reply_recv(ep, &m);
		}
	}
	exit(5);
}

/* --- the one who kills ---------------------------------------------------- */
static struct child children[TASKS];
static unsigned born;

static bool start(unsigned i, const handle_t ep[EPS])
{
	bool serves = i >= CLIENTS;
	unsigned rights = WEIR_R_WRITE | (serves ? WEIR_R_READ : 0);
	char who[24], number[32];
	char *argv[] = { "ipcstress", serves ? "--server" : "--client", who,
			 number, NULL };
	struct spawn_options options = { .extra = { ep[FRONT], ep[BACK] },
					 .rights = { rights, rights },
					 .no_console = true };

	/* Its parity is the server's endpoint. */
	snprintf(who, sizeof(who), "who=%u", 2 * TASKS * ++born + 2 * i +
		 i % EPS);
	snprintf(number, sizeof(number), "seed=%llu",
		 (unsigned long long)seed);
	if (spawn("ipcstress", argv, &options, &children[i]) == 0)
		return true;
	printf("ipcstress: %s\n", spawn_error());
	failures++;
	return false;
}

static void stop(unsigned i)
{
	int status = -1;

	sys_task_kill(children[i].task, KILLED);
	if (child_wait(&children[i], &status) < 0 || status != KILLED) {
		printf("ipcstress: a %s ended with status %d\n",
		       i < CLIENTS ? "client" : "server", status);
		failures++;
	}
}

/* Closes `ep`, to which nobody else has a right any more: a reference that
 * some wait has lost would let this call wait for ever. */
static void check_gone(handle_t ep)
{
	handle_t weak = (handle_t)sys_handle_dup(ep, WEIR_R_WRITE, 0);
	struct weir_msg m = { 0 };

	sys_handle_close(ep);
	if (sys_ipc_call(weak, &m) != -WEIR_EPEER)
		failures++;
	sys_handle_close(weak);
}

/* All of it, with `n` kills on the way. */
static void run(uint64_t n)
{
	uint64_t rng = random_of(0);
	handle_t ep[EPS] = { (handle_t)sys_ep_create(),
			     (handle_t)sys_ep_create() };
	unsigned running = 0;

	while (running < TASKS && start(running, ep))
		running++;
	for (uint64_t k = 0; running == TASKS && k < n && !failures; k++) {
		unsigned i = (unsigned)(next_random(&rng) % TASKS);

		sleep_ns(next_random(&rng) % (4 * NS_PER_MS));
		stop(i);
		if (!start(i, ep)) {
			children[i] = children[--running];
			break;
		}
	}
	while (running > 0)
		stop(--running);
	check_gone(ep[FRONT]);
	check_gone(ep[BACK]);
}

/* --- what is left --------------------------------------------------------- */
static void supervise(void)
{
	struct counters before, after;
	uint64_t handles;
	uint64_t fast, calls;
	int64_t lost;

	sys_thread_ctl(0, WEIR_THREAD_PRIO, 25);
	run(4); /* for what is kept on purpose */
	handles = account_handles();
	counters_read(&before);
	run(kills);
	counters_read(&after);
	lost = (int64_t)(before.v[WEIR_C_nr_free_pages] -
			 after.v[WEIR_C_nr_free_pages]);
	calls = after.v[WEIR_C_ipc_call] - before.v[WEIR_C_ipc_call];
	fast = after.v[WEIR_C_ipc_fast] - before.v[WEIR_C_ipc_fast];
	printf("ipcstress: %llu calls, %llu messages of %llu fast, %llu kills, "
	       "%d pages lost\n", (unsigned long long)calls,
	       (unsigned long long)fast, (unsigned long long)(2 * calls),
	       (unsigned long long)kills, (int)lost);
	if (lost > LOST_PAGES_MAX || account_handles() != handles || !fast ||
	    fast >= 2 * calls)
		failures++;
}

int main(int argc, char **argv)
{
	uint64_t who = 0;
	bool serves = false;
	struct weir_system sys;

	system_read(&sys);
	seed = sys.seed;
	all_cpus = sys.cpus == 64 ? ~0ull : (1ull << sys.cpus) - 1;
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--server")) {
			serves = true;
		} else if (strcmp(argv[i], "--client") &&
			   !arg_u64(argv[i], "who", &who) &&
			   !arg_u64(argv[i], "seed", &seed) &&
			   !arg_u64(argv[i], "kills", &kills)) {
			printf("usage: ipcstress [seed=N] [kills=N]\n");
			return STATUS_USAGE;
		}
	if (who) {
		void (*work)(void *) = serves ? server : client;

		uthread_start(work, (void *)(who + TASKS * EPS), -1);
		work((void *)who);
	}
	printf("ipcstress: seed=%llu; again: tools/weir vm --cpus %u -- "
	       "ipcstress seed=%llu kills=%llu\n", (unsigned long long)seed,
	       sys.cpus, (unsigned long long)seed, (unsigned long long)kills);
	supervise();
	printf("ipcstress: %u failed\n", failures);
	return failures ? 1 : 0;
}
