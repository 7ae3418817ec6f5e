/*
 * smp.c - starting the other CPUs by INIT-SIPI-SIPI.
 *
 * One after the other: they share boot_next and one copy of the trampoline,
 * in a page of usable RAM below 1 MiB that the memory map offers. The boot
 * tables, which alone are executable there, are emptied when all run.
 */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/panic.h"
#include "arch/x86_64/time.h"
#include "arch/x86_64/trap.h"

#define PAGE 4096ull
#define LOW_END 0xa0000ull
#define INIT_NS 10000000ull        /* after INIT */
#define SECOND_NS 50000000ull      /* before the second start-up message */
#define ANSWER_NS 10000000000ull   /* until we give up */

/* boot.asm: with what a CPU goes on when it is in long mode. */
extern struct boot_next {
	uint64_t cr3;
	void *stack;
	void (*entry)(void);
} boot_next;

extern char ap_trampoline[], ap_trampoline_end[], boot_pml4[];

static struct cpu *starting;

/* The new CPU, on its stack and the kernel's tables. Its IST stack is under
 * the top of tss.ist[0], where the starter put it. */
static void ap_entry(void)
{
	struct cpu *c = starting;

	cpu_setup(c->id, c->tss.ist[0]);
	apic_init_cpu();
	__atomic_store_n(&c->online, true, __ATOMIC_RELEASE);
	kernel_ap_main();
}

/* Waits for at most `ns` until the CPU is online. */
static bool answers(const struct cpu *c, uint64_t ns)
{
	uint64_t start = time_ns();

	while (!__atomic_load_n(&c->online, __ATOMIC_ACQUIRE) &&
	       time_ns() - start < ns)
		cpu_relax();
	return c->online;
}

static void start_one(struct cpu *c, unsigned page)
{
	void *stack = kstack_create(~0ull), *ist = kstack_create(~0ull);

	if (!stack || !ist)
		panic("no memory for the stacks of cpu %u", c->id);
	c->tss.ist[0] = (uint64_t)ist;
	/* LAB boot begin: say what the CPU goes on with, send it the
	 * start-up message, and wait; once more after SECOND_NS; after
	 * ANSWER_NS it is a panic */
	boot_next.stack = stack;
	starting = c;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	apic_send(c->apic_id, ICR_STARTUP | page);
	if (!answers(c, SECOND_NS))
		apic_send(c->apic_id, ICR_STARTUP | page);
	if (!answers(c, ANSWER_NS))
		panic("cpu %u (APIC id %u) does not start", c->id, c->apic_id);
	/* LAB boot stub
	 * panic("cpu %u (APIC id %u) is not started: lab boot", c->id,
	 *       c->apic_id);
	 */
	/* LAB boot end */
}

static void start_others(unsigned n)
{
	uint64_t pa = LOW_END;

	/* Descends: the lowest pages are the likeliest to be the firmware's. */
	do {
		pa -= PAGE;
		if (!pa)
			panic("no free page below 1 MiB to start the other "
			      "CPUs from");
	} while (!ram_is_free(pa, PAGE));
	memcpy(KVA(pa), KVA(ap_trampoline), ap_trampoline_end - ap_trampoline);
	boot_next.cr3 = kernel_pml4_pa;
	boot_next.entry = ap_entry;
	for (unsigned i = 1; i < n; i++)
		apic_send(cpus[i].apic_id, ICR_INIT);
	answers(&cpus[1], INIT_NS); /* which it cannot yet */
	for (unsigned i = 1; i < n; i++)
		start_one(&cpus[i], pa / PAGE);
	memset(KVA(boot_pml4), 0, PAGE);
}

void smp_start(unsigned want)
{
	unsigned n = 1;

	if (want && want != acpi_info.ncpus)
		panic("%u CPUs were asked for, but the machine has %u", want,
		      acpi_info.ncpus);
	if (acpi_info.ncpus > MAX_CPUS)
		panic("the machine has %u CPUs, but at most %u are supported",
		      acpi_info.ncpus, MAX_CPUS);
	/* This one is 0, the others follow in the order of the MADT. */
	for (unsigned i = 0; i < acpi_info.ncpus; i++) {
		if (acpi_info.apic_id[i] == this_cpu()->apic_id)
			continue;
		if (n == MAX_CPUS)
			panic("the MADT does not name this CPU");
		cpus[n].id = n;
		cpus[n++].apic_id = acpi_info.apic_id[i];
	}
	if (n > 1)
		start_others(n);
	__atomic_store_n(&cpus_running, n, __ATOMIC_RELEASE);
}
