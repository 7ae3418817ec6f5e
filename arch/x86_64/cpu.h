/*
 * cpu.h - the CPU that we run on: its per-CPU block, interrupts, ports, MSRs.
 *
 * Each CPU's GS base points to its struct cpu while it is in the kernel. A
 * struct cpu belongs to its CPU: others read only `id`, `apic_id`, `online`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `make UP=1` builds a kernel for one. */
#ifndef MAX_CPUS
#define MAX_CPUS 64
#endif

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7]; /* [0] double fault, [1] NMI, [2] machine check */
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t iomap;
} __attribute__((packed));

/* What LGDT and LIDT read. */
struct table_register {
	uint16_t limit;
	void *base;
} __attribute__((packed));

struct cpu {
	/* The assembly knows these offsets. */
	struct cpu *self;       /* gs:0 */
	uint64_t user_rsp;      /* gs:8, while a system call is entered */
	struct thread *current;
	struct runq *rq;        /* gs:24; kernel: its run queue */

	/* rsp[0], the top of the thread's kernel stack, is at gs:36. */
	struct tss tss __attribute__((aligned(16)));

	unsigned id;            /* 0..cpu_count()-1; 0 started the others */
	uint32_t apic_id;
	volatile bool online;

	/* Spinlocks: the ranks of those held, a bit each, and whether the
	 * first one found interrupts on. A context switch under a lock must
	 * carry irq_was_on along with the thread. */
	uint32_t locks_held;
	bool irq_was_on;

	/* Panic: where this CPU was when it was stopped. */
	const struct trapframe *volatile stopped_at;
} __attribute__((aligned(64)));

_Static_assert(offsetof(struct cpu, user_rsp) == 8, "trap.asm");
_Static_assert(offsetof(struct cpu, rq) == 24, "trap.asm");
_Static_assert(offsetof(struct cpu, tss.rsp[0]) == 36, "trap.asm");

extern struct cpu cpus[MAX_CPUS];
extern unsigned cpus_running;

/* What the CPU can do, found out on the first one. */
extern struct cpu_features {
	bool smep, smap, umip, gib_pages, x2apic, pcid, invpcid;
} cpu_features;

static inline struct cpu *this_cpu(void)
{
	struct cpu *c;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(c));
	return c;
}

static inline unsigned cpu_id(void)
{
	return this_cpu()->id;
}

static inline unsigned cpu_count(void)
{
	return __atomic_load_n(&cpus_running, __ATOMIC_ACQUIRE);
}

static inline void irq_enable(void)
{
	__asm__ volatile("sti" ::: "memory");
}

static inline void irq_disable(void)
{
	__asm__ volatile("cli" ::: "memory");
}

/* RFLAGS, for irq_restore; interrupts are off afterwards. */
static inline uint64_t irq_save(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) :: "memory");
	return flags;
}

static inline void irq_restore(uint64_t flags)
{
	if (flags & 0x200)
		irq_enable();
}

static inline bool irq_enabled(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq; popq %0" : "=r"(flags));
	return flags & 0x200;
}

/* In every spin loop: the emulators' round-robin modes need it. */
static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

/* Called with interrupts off, so that no wake-up is lost between the
 * caller's last look and the halt; returns with interrupts on. */
static inline void cpu_idle_wait(void)
{
	__asm__ volatile("sti; hlt" ::: "memory");
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" :: "c"(msr), "a"((uint32_t)v),
			 "d"((uint32_t)(v >> 32)) : "memory");
}

static inline uint64_t rdtsc(void)
{
	uint64_t lo, hi; /* it clears the upper halves */

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) :: "memory");
	return hi << 32 | lo;
}

static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	__asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]),
			 "=d"(out[3]) : "a"(leaf), "c"(sub));
}

/* inb, inw, inl, outb, outw, outl. */
#define PORT_IO(suffix, type)                                           \
	static inline type in##suffix(uint16_t port)                    \
	{                                                               \
		type v;                                                 \
		__asm__ volatile("in" #suffix " %1, %0" : "=a"(v)       \
				 : "Nd"(port));                         \
		return v;                                               \
	}                                                               \
	static inline void out##suffix(uint16_t port, type v)           \
	{                                                               \
		__asm__ volatile("out" #suffix " %0, %1"                \
				 :: "a"(v), "Nd"(port));                \
	}
PORT_IO(b, uint8_t)
PORT_IO(w, uint16_t)
PORT_IO(l, uint32_t)
#undef PORT_IO

/* Sets up the CPU that it runs on (descriptors, control registers, system
 * calls) as cpus[id], on the stacks given for the ISTs (16 KiB below top). */
void cpu_setup(unsigned id, uint64_t ist_top);

/* Boot, before the other CPUs start, on tables without a tag: CPUs that can
 * tag their TLB entries do so from now on (pcid_on, paging.h). */
void pcid_enable(void);

/* Starts every CPU of the MADT; each goes to kernel_ap_main. Panics
 * when `want` is not 0 and not what the MADT has, when there are more than
 * MAX_CPUS, and when one of them does not answer. First CPU, interrupts off;
 * needs apic_init, time_init and the allocator. */
void smp_start(unsigned want);
