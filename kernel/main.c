/*
 * main.c - from the boot code to the first task.
 *
 * Order matters: parameters before memory (mem=, swap=), memory before the
 * other CPUs (their stacks), the scheduler before mm's threads. What may
 * sleep runs in the thread `start`; the boot stacks become the idle threads.
 */
#include "arch/x86_64/apic.h"
#include "boot/bootinfo.h"
#include "kernel/sched.h"
#include "mm/mm.h"
#include "mm/swap.h"

#define CMDLINE_MAX 2048u
#define BEAT_NS 1000000000ull
#define BEAT_PRIO 31

struct params params = PARAM_DEFAULTS;

static void complain(const char *sentence)
{
	kprintf("weir: %s\n", sentence);
}

static void read_params(void)
{
	static char text[CMDLINE_MAX]; /* of NULs */

	param_parse(boot_info.cmdline, &params, complain);
	fwcfg_read("opt/weir/cmdline", text, sizeof(text) - 1);
	param_parse(text, &params, complain);
}

/* One line for people, and one record for programs. */
static void announce(void)
{
	const char *pcid = pcid_on ? "on" : cpu_features.pcid ? "off" : "none";
	char text[160];
	int n = ksnprintf(text, sizeof(text),
			  "cpus=%u frames=%lu swap=%u tlb=%s batch=%lu "
			  "seed=%lu delay=%lu apic=%s pcid=%s",
			  cpu_count(), nr_frames(), swap_slots_total(),
			  tlb_policy->name, params.batch, params.seed,
			  params.delay_us,
			  cpu_features.x2apic ? "x2apic" : "xapic", pcid);

	kprintf("weir: %u CPUs, %lu MiB of memory, %u MiB of swap, tlb=%s, "
		"pcid=%s\n",
		cpu_count(), nr_frames() >> 8, swap_slots_total() >> 8,
		tlb_policy->name, pcid);
	com2_record("boot", text, n);
}

/* What tasks do, not what the kernel does by itself. */
static uint64_t progress(void)
{
	return stat_sum(WEIR_C_syscalls) + stat_sum(WEIR_C_pgfault) +
	       stat_sum(WEIR_C_pswpin) + stat_sum(WEIR_C_pswpout) +
	       stat_sum(WEIR_C_pgscan);
}

/* The thread of the sign of life on COM2: one record a second. The host's
 * tool judges by it: no beat is a hang of the kernel, beats that are idle
 * without progress are a deadlock. */
static void beat(void *arg)
{
	char text[96];

	for (;;) {
		thread_sleep_ns(BEAT_NS);
		int n = ksnprintf(text, sizeof(text),
				  "progress=%lu idle=%d", progress(),
				  sched_all_idle());
		com2_record("beat", text, n);
		audit();
	}
}

static void start(void *arg)
{
	mm_start();
	announce();
	thread_create_kernel("beat", beat, NULL, BEAT_PRIO);
	init_start();
}

void kernel_main(void)
{
	read_params();
	mm_init(&boot_info);
	apic_init();
	time_init();
	sched_init();
	smp_start(params.cpus);
	thread_create_kernel("start", start, NULL, PRIO_KERNEL);
	sched_idle();
}
