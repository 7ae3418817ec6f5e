/*
 * beat.c - one record a second: does anything move, who waits, who idles.
 *
 * The host's tool judges by it: no beat is a hang of the kernel, beats that
 * are idle without progress are a deadlock. Progress counts what tasks do,
 * not what the kernel does by itself.
 */
#include "kernel/beat.h"

#include "arch/x86_64/print.h"
#include "arch/x86_64/uart.h"
#include "kernel/sched.h"
#include "kernel/stat.h"
#include "kernel/task.h"

#define BEAT_NS 1000000000ull
#define BEAT_PRIO 31

static uint64_t progress(void)
{
	return stat_sum(WEIR_C_syscalls) + stat_sum(WEIR_C_pgfault) +
	       stat_sum(WEIR_C_pswpin) + stat_sum(WEIR_C_pswpout) +
	       stat_sum(WEIR_C_pgscan);
}

static void beat(void *arg)
{
	char text[96];

	for (;;) {
		thread_sleep_ns(BEAT_NS);
		int n = ksnprintf(text, sizeof(text),
				  "progress=%lu waiting=%u idle=%d",
				  progress(), task_sleepers(),
				  sched_all_idle() ? 1 : 0);
		com2_record("beat", text, n);
	}
}

void beat_start(void)
{
	thread_create_kernel("beat", beat, NULL, BEAT_PRIO, -1);
}
