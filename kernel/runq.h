/*
 * runq.h - what each CPU keeps for the scheduler, and the switch; for sched.c,
 * sync.c and fastpath.c alone.
 */
#pragma once

#include "kernel/sched.h"
#include "mm/tlb_switch.h"

#define PRIO_IDLE (-1)

/* Who has a deadline, ordered by it. */
struct sleepq {
	struct spinlock lock; /* guards the list */
	TAILQ_HEAD(, thread) threads;
	uint64_t next_ns; /* this CPU only: of the first, or of one that was */
};

struct runq {
	struct spinlock lock; /* guards the first group */
	TAILQ_HEAD(, thread) queue[PRIORITIES];
	uint32_t bitmap; /* priorities with a thread */
	unsigned nr;     /* atomic reads elsewhere */
	int prio;        /* of the thread that runs; PRIO_IDLE */

	bool need; /* atomic: schedule before user mode */

	/* This CPU only. */
	uint64_t slice_end;
	uint64_t timer_at; /* the interrupt that is set; past: none */
	struct thread *prev; /* left its stack just now */
	struct thread idle;

	struct sleepq sleepq; /* sync.c */
} __attribute__((aligned(128)));

_Static_assert(offsetof(struct runq, lock.holder) == 0, "trap.asm");

extern struct runq runqs[MAX_CPUS];

/* Does somebody wait here who is more urgent than `prio`? */
static inline bool rq_above(const struct runq *rq, int prio)
{
	return (uint64_t)rq->bitmap >> (prio + 1);
}

/* Adds what `t` ran since it was last asked to its task's time. */
static inline void account(struct thread *t, uint64_t tsc)
{
	__atomic_add_fetch(&t->task->cpu_tsc, tsc - t->run_start,
			   __ATOMIC_RELAXED);
	t->run_start = tsc;
}

/* The hardware's side of `next` becoming current in place of `prev`, but for
 * its kernel stack, on this CPU, which is `id`. `users`: neither is a kernel
 * thread. Holds the run queue's lock. */
static inline void load_thread(struct cpu *cpu, unsigned id,
			       struct thread *prev, struct thread *next,
			       bool users)
{
	uint64_t now = rdtsc();

	if (users || prev->task) {
		account(prev, now);
		fpu_save(prev->fpu);
	}
	next->run_start = now;
	__atomic_store_n(&next->on_cpu, 1, __ATOMIC_RELAXED);
	cpu->current = next;
	if (users || next->task) {
		fpu_restore(next->fpu);
		set_fs_base(next->fs_base);
		cpu->tss.rsp[0] = (uint64_t)next->stack_top;
	}
	tlb_switch_on(id, next->as, users);
}
