/*
 * peers.c - the well-behaved around the workers: who answers their calls, who
 * calls them, and the bystander, who has nothing to do with it all.
 */
#include "user/tests/fuzz/fuzz.h"

#define CALLERS 2u
#define PASS_NS (20 * NS_PER_MS)

/* Sends back what it gets. */
static void echo(void *arg)
{
	handle_t ep = startup->extra[X_SERVED];
	struct weir_msg m;

	(void)arg;
	if (sys_ipc_recv(ep, &m))
		return;
	for (;;) {
		handle_t came = m.handle;
		long error = sys_ipc_reply(&m);

		if (error && came) /* the client is gone, or its table full */
			sys_handle_close(came);
		if (sys_ipc_recv(ep, &m))
			return;
	}
}

/* Calls whoever receives; every second message brings a handle. */
static void caller(void *arg)
{
	for (uint64_t i = (uintptr_t)arg;; i++) {
		struct weir_msg m = { .label = i };
		handle_t sent = 0;

		if (i % 2)
			sent = m.handle = (handle_t)sys_ntfn_create();
		if (sys_ipc_call(startup->extra[X_CALLED], &m) < 0)
			m.handle = sent;
		if (m.handle)
			sys_handle_close(m.handle);
		sleep_ns(NS_PER_MS / 4);
	}
}

int peers_main(void)
{
	for (uintptr_t i = 0; i < CALLERS; i++)
		uthread_start(caller, (void *)i, -1);
	uthread_start(echo, NULL, -1);
	echo(NULL);
	return 0;
}

/* --- the bystander -------------------------------------------------------- */
static uint64_t pattern(uint64_t i)
{
	return (i + 1) * 0x9e3779b97f4a7c15ull;
}

/* Looks at every byte, again and again; when it is asked, it says so and
 * waits until it is to go on. */
int bystander_main(void)
{
	handle_t go = startup->extra[X_GO], told = startup->extra[X_TOLD];
	struct weir_system sys;
	volatile uint64_t *words;
	uint64_t nwords;

	system_read(&sys);
	nwords = sys.frames_total / 4 * (PAGE / 8);
	words = pages_map(sys.frames_total / 4, NULL);
	if (!words)
		return STATUS_START;
	for (uint64_t i = 0; i < nwords; i++)
		words[i] = pattern(i);
	sys_ntfn_signal(told, TOLD_READY);
	for (;;) {
		bool asked = sys_ntfn_wait(go, 1, now_ns() + PASS_NS, NULL) ==
			     0;
		bool good = true;

		for (uint64_t i = 0; i < nwords; i++)
			good &= words[i] == pattern(i);
		if (!good)
			sys_ntfn_signal(told, TOLD_BAD);
		if (!asked)
			continue;
		/* Stands still while frames are counted: one that is being
		 * read would be neither free nor anonymous. */
		sys_ntfn_signal(told, TOLD_GOOD);
		sys_ntfn_wait(go, 2, 0, NULL);
	}
}
