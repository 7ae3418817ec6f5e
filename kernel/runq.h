/*
 * runq.h - run queues, for sched.c alone.
 */
#ifndef KERNEL_RUNQ_H
#define KERNEL_RUNQ_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/thread.h"

#define PRIO_IDLE (-1)

struct runq {
	struct spinlock lock; /* guards the first group */
	TAILQ_HEAD(, thread) queue[PRIORITIES];
	uint32_t bitmap; /* priorities with a thread */
	unsigned nr;     /* atomic reads elsewhere */
	int prio;        /* of the thread that runs; PRIO_IDLE */

	bool need; /* atomic: schedule before user mode */

	/* This CPU only. */
	uint64_t slice_end;
	struct thread *prev; /* left its stack just now */
	bool prev_moves;     /* and may not run here any more */
	struct thread idle;
} __attribute__((aligned(128)));

extern struct runq runqs[MAX_CPUS];

/* All hold rq->lock. Insert: at the end of its priority; it is `rq`'s CPU's
 * from then on. */
void rq_insert(struct runq *rq, struct thread *t);
void rq_remove(struct runq *rq, struct thread *t);
/* The first of the highest priority; NULL: none. */
struct thread *rq_best(struct runq *rq);
/* The best one that may run on `cpu`; NULL: none. */
struct thread *rq_best_for(struct runq *rq, unsigned cpu);

#endif
