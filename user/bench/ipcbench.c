/*
 * ipcbench.c - what does one IPC round trip cost?
 *
 *   ipcbench [--json] [rounds=N]
 *
 * A round trip is ipc_call in a client and ipc_reply_recv in its server. The
 * kinds: `call` to a server task on the same CPU; `threads` to a thread of
 * the own task there; `handle` as call, with a notification that moves there
 * and back; `cross` to a server task on another CPU.
 * Instructions are counted where the machine counts them: under
 * `tools/weir vm --accel icount --cpus 2` the TSC ticks a fixed number of
 * times an instruction, which a loop of known length finds out. Elsewhere
 * they are null. All of user mode, kernel and timer interrupts is in them.
 */
#include <stdio.h>
#include <string.h>

#include "user/lib/weir_user.h"

enum { EXTRA_EP };
#define QUIT 1u

static uint64_t rounds = 20000;
static double per_instruction; /* TSC ticks; 0: not constant */
static bool json;

static uint64_t ticks(void)
{
	return __builtin_ia32_rdtsc();
}

/* Runs 2 * n instructions; the ticks that took. */
static uint64_t run_loop(uint64_t n)
{
	uint64_t start = ticks();

	__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(n) : : "cc");
	return ticks() - start;
}

/* Three runs must agree to a thousandth, interrupts and all. */
static void calibrate(void)
{
	const uint64_t n = 500000;
	double best = 0, worst = 0;

	for (unsigned i = 0; i < 3; i++) {
		double t = (double)run_loop(n) / (2.0 * (double)n);

		best = !best || t < best ? t : best;
		worst = t > worst ? t : worst;
	}
	per_instruction = worst - best < best * 0.01 ? best : 0;
}

/* Sends back what comes, handles too, until it is told to quit. */
static void serve(handle_t ep)
{
	struct weir_msg m;
	long error = sys_ipc_recv(ep, &m);

	while (error == 0 && m.label != QUIT)
		error = sys_ipc_reply_recv(ep, &m);
	if (error == 0)
		sys_ipc_reply(&m);
}

static void serve_thread(void *arg)
{
	serve((handle_t)(uintptr_t)arg);
}

static void print(const char *kind, uint64_t took)
{
	double each = (double)took / (double)rounds;

	if (json && per_instruction)
		printf("{\"kind\":\"%s\",\"rounds\":%llu,\"instructions_per_"
		       "round_trip\":%.1f}\n", kind,
		       (unsigned long long)rounds, each / per_instruction);
	else if (json)
		printf("{\"kind\":\"%s\",\"rounds\":%llu,\"instructions_per_"
		       "round_trip\":null,\"tsc_per_round_trip\":%.1f}\n",
		       kind, (unsigned long long)rounds, each);
	else if (per_instruction)
		printf("%-8s %8.1f instructions a round trip\n", kind,
		       each / per_instruction);
	else
		printf("%-8s %8.1f TSC ticks a round trip (no icount)\n",
		       kind, each);
}

static void quit(handle_t ep)
{
	struct weir_msg m = { .label = QUIT };

	sys_ipc_call(ep, &m);
}

/* `moved`: a handle that goes along; 0: none. */
static bool measure(const char *kind, handle_t ep, handle_t moved)
{
	struct weir_msg m = { 0 };
	uint64_t start;

	for (uint64_t i = 0; i < 100; i++) {
		m = (struct weir_msg){ .handle = moved };
		if (sys_ipc_call(ep, &m) < 0)
			return false;
		moved = m.handle;
	}
	start = ticks();
	for (uint64_t i = 0; i < rounds; i++) {
		m.handle = moved;
		m.label = 0;
		if (sys_ipc_call(ep, &m) < 0)
			return false;
		moved = m.handle;
	}
	print(kind, ticks() - start);
	return true;
}

static bool with_task(const char *kind, int cpu, handle_t moved)
{
	char word[24];
	char *argv[] = { "ipcbench", "--server", word, NULL };
	handle_t ep = (handle_t)sys_ep_create();
	struct spawn_options options = { .extra = { [EXTRA_EP] = ep },
					 .no_console = true };
	struct child child;
	int status;
	bool ok;

	snprintf(word, sizeof(word), "cpu=%d", cpu);
	if (spawn("ipcbench", argv, &options, &child) < 0) {
		printf("ipcbench: %s\n", spawn_error());
		return false;
	}
	ok = measure(kind, ep, moved);
	quit(ep);
	ok &= child_wait(&child, &status) == 0 && status == 0;
	sys_handle_close(ep);
	return ok;
}

static bool with_thread(void)
{
	handle_t ep = (handle_t)sys_ep_create();
	struct uthread *t = uthread_start(serve_thread,
					  (void *)(uintptr_t)ep, 0);
	bool ok = t && measure("threads", ep, 0);

	quit(ep);
	if (t)
		uthread_join(t);
	sys_handle_close(ep);
	return ok;
}

int main(int argc, char **argv)
{
	struct weir_system sys;
	uint64_t cpu = 0;
	bool server = false, ok;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--json")) {
			json = true;
		} else if (!strcmp(argv[i], "--server")) {
			server = true;
		} else if (!arg_u64(argv[i], "rounds", &rounds) &&
			   !arg_u64(argv[i], "cpu", &cpu)) {
			printf("usage: ipcbench [--json] [rounds=N]\n");
			return STATUS_USAGE;
		}
	if (!rounds)
		rounds = 1;
	uthread_pin((int)cpu);
	if (server) {
		serve(startup->extra[EXTRA_EP]);
		return 0;
	}
	system_read(&sys);
	calibrate();
	ok = with_task("call", 0, 0) && with_thread() &&
	     with_task("handle", 0, (handle_t)sys_ntfn_create());
	if (ok && sys.cpus > 1)
		ok = with_task("cross", 1, 0);
	return !ok;
}
