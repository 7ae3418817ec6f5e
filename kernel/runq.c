/*
 * runq.c - the queues of one CPU: a list for each priority, and a bitmap of
 * those that are not empty.
 */
#include "kernel/runq.h"

#include "arch/x86_64/panic.h"

void rq_insert(struct runq *rq, struct thread *t)
{
	assert(spin_held(&rq->lock) && &runqs[t->cpu] == rq && !t->queued);
	t->queued = true;
	TAILQ_INSERT_TAIL(&rq->queue[t->prio], t, run_link);
	rq->bitmap |= 1u << t->prio;
	rq->nr++;
}

void rq_remove(struct runq *rq, struct thread *t)
{
	assert(spin_held(&rq->lock) && t->queued);
	t->queued = false;
	TAILQ_REMOVE(&rq->queue[t->prio], t, run_link);
	if (TAILQ_EMPTY(&rq->queue[t->prio]))
		rq->bitmap &= ~(1u << t->prio);
	rq->nr--;
}

struct thread *rq_best(struct runq *rq, uint64_t cpus)
{
	struct thread *t;

	for (uint32_t left = rq->bitmap; left;) {
		unsigned prio = 31 - __builtin_clz(left);

		TAILQ_FOREACH(t, &rq->queue[prio], run_link)
			if (t->affinity & cpus)
				return t;
		left &= ~(1u << prio);
	}
	return NULL;
}
