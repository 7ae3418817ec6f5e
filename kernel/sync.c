/*
 * sync.c - wait queues, deadlines, sleeping locks and pauses.
 *
 * Who has a deadline is in the sleep queue of the CPU on which it went to
 * sleep, ordered by it. Lock order: waitq -> sleepq -> a run queue.
 * Outcomes when several parties end one sleep: each of wake-up, deadline and
 * kill first claims the thread's state; the one that wins enqueues it, the
 * others have done nothing. The sleeper takes itself off the lists that the
 * winner did not, under those lists' locks, before it returns: so nobody
 * holds a pointer to it afterwards.
 */
#include "kernel/sync.h"

#include "kernel/runq.h"

/* ---- deadlines ----------------------------------------------------------- */

/* Current thread, interrupts off. */
static void sleepq_insert(struct thread *t, uint64_t wake_ns)
{
	struct sleepq *q = &this_cpu()->rq->sleepq;
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
	if (wake_ns < q->next_ns)
		q->next_ns = wake_ns;
	spin_unlock(&q->lock);
}

/* Unless it has expired. From any CPU. */
static void sleepq_remove(struct thread *t)
{
	struct sleepq *q = &runqs[t->sleep_cpu].sleepq;

	spin_lock(&q->lock);
	if (t->on_sleepq)
		TAILQ_REMOVE(&q->threads, t, sleep_link);
	t->on_sleepq = false;
	spin_unlock(&q->lock);
}

void sleepq_expire(void)
{
	struct sleepq *q = &this_cpu()->rq->sleepq;
	struct thread *t;

	spin_lock(&q->lock);
	while ((t = TAILQ_FIRST(&q->threads)) && t->wake_ns <= time_ns()) {
		TAILQ_REMOVE(&q->threads, t, sleep_link);
		t->on_sleepq = false;
		/* Whom somebody else has claimed is only taken off. */
		sched_wake(t, false, false);
	}
	q->next_ns = t ? t->wake_ns : UINT64_MAX;
	spin_unlock(&q->lock);
}

/* ---- wait queues --------------------------------------------------------- */

bool waitq_sleep_on(struct waitq *wq, struct spinlock *release,
		    uint64_t deadline_ns, bool killable)
{
	struct thread *t = current();

	assert(!release || spin_held(release));
	spin_lock(&wq->lock);
	assert(this_cpu()->locks_held ==
	       (RANK_BIT(waitq) | (release ? 1u << release->rank : 0)));
	t->on_wq = true;
	TAILQ_INSERT_TAIL(&wq->threads, t, wait_link);
	if (deadline_ns)
		sleepq_insert(t, deadline_ns);
	if (release)
		spin_unlock(release);
	bool slept = sched_sleep(killable, &wq->lock);
	spin_lock(&wq->lock);
	if (t->on_wq)
		TAILQ_REMOVE(&wq->threads, t, wait_link);
	t->on_wq = false;
	spin_unlock(&wq->lock);
	if (deadline_ns)
		sleepq_remove(t);
	return slept && !(killable && thread_killed());
}

/* Takes off sleepers until `max` of them were really woken by us. Who has
 * seen what is waited for not to be so was on the list before we could take
 * the lock (`release`) under which it became so. */
void waitq_wake(struct waitq *wq, unsigned max)
{
	struct thread *t;

	if (!__atomic_load_n(&wq->threads.tqh_first, __ATOMIC_RELAXED))
		return;
	spin_lock(&wq->lock);
	while (max && (t = TAILQ_FIRST(&wq->threads))) {
		TAILQ_REMOVE(&wq->threads, t, wait_link);
		t->on_wq = false;
		if (sched_wake(t, false, false))
			max--;
	}
	spin_unlock(&wq->lock);
}

void mutex_lock(struct mutex *m)
{
	spin_lock(&m->lock);
	while (m->owner) {
		assert(m->owner != current());
		waitq_sleep(&m->waiters, &m->lock);
		spin_lock(&m->lock);
	}
	m->owner = current();
	spin_unlock(&m->lock);
}

void mutex_unlock(struct mutex *m)
{
	spin_lock(&m->lock);
	assert(m->owner == current());
	m->owner = NULL;
	waitq_wake(&m->waiters, 1);
	spin_unlock(&m->lock);
}

void thread_sleep_ns(uint64_t ns)
{
	struct waitq nobody = WAITQ_INIT(nobody);

	waitq_sleep_until(&nobody, NULL, time_ns() + ns);
}
