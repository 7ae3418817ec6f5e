/*
 * sleepq.c - threads with a deadline, per CPU, ordered by it.
 *
 * A thread enters on the CPU on which it goes to sleep and takes itself off
 * when it runs again, wherever that is; the timer takes off those whose time
 * has come. Lock order: waitq.lock -> sleepq.lock -> a run queue's.
 */
#include "arch/x86_64/panic.h"
#include "arch/x86_64/time.h"
#include "kernel/sched.h"

static struct sleepq {
	struct spinlock lock; /* guards the list */
	TAILQ_HEAD(, thread) threads;
	uint64_t next_ns; /* of the first; read without the lock */
} __attribute__((aligned(64))) sleepqs[MAX_CPUS];

void sleepq_init(void)
{
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		spin_init(&sleepqs[cpu].lock, "sleepq");
		TAILQ_INIT(&sleepqs[cpu].threads);
		sleepqs[cpu].next_ns = UINT64_MAX;
	}
}

static void note_first(struct sleepq *q)
{
	struct thread *first = TAILQ_FIRST(&q->threads);

	__atomic_store_n(&q->next_ns, first ? first->wake_ns : UINT64_MAX,
			 __ATOMIC_RELAXED);
}

uint64_t sleepq_next_ns(void)
{
	return __atomic_load_n(&sleepqs[cpu_id()].next_ns, __ATOMIC_RELAXED);
}

void sleepq_insert(struct thread *t, uint64_t wake_ns)
{
	struct sleepq *q = &sleepqs[cpu_id()];
	struct thread *before;

	assert(!irq_enabled());
	spin_lock(&q->lock);
	t->wake_ns = wake_ns;
	t->sleep_cpu = cpu_id();
	t->on_sleepq = true;
	TAILQ_FOREACH(before, &q->threads, sleep_link)
		if (before->wake_ns > wake_ns)
			break;
	if (before)
		TAILQ_INSERT_BEFORE(before, t, sleep_link);
	else
		TAILQ_INSERT_TAIL(&q->threads, t, sleep_link);
	note_first(q);
	spin_unlock(&q->lock);
}

/* Takes `t` off, if it is still there. Holds q->lock. */
static void take_off(struct sleepq *q, struct thread *t)
{
	if (!t->on_sleepq)
		return;
	TAILQ_REMOVE(&q->threads, t, sleep_link);
	t->on_sleepq = false;
	note_first(q);
}

void sleepq_remove(struct thread *t)
{
	struct sleepq *q = &sleepqs[t->sleep_cpu];

	spin_lock(&q->lock);
	take_off(q, t);
	spin_unlock(&q->lock);
}

void sleepq_expire(void)
{
	struct sleepq *q = &sleepqs[cpu_id()];
	struct thread *t;

	spin_lock(&q->lock);
	while ((t = TAILQ_FIRST(&q->threads)) && t->wake_ns <= time_ns()) {
		take_off(q, t);
		/* Whom somebody else has claimed is only taken off. */
		if (sched_claim(t, false))
			sched_enqueue(t, false);
	}
	spin_unlock(&q->lock);
}
