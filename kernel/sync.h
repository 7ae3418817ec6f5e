/*
 * sync.h - sleeping: wait queues, sleeping locks, pauses.
 *
 * A thread sleeps on at most one wait queue, perhaps with a deadline. Who
 * wakes it is settled by one exchange of its state (SLEEPING to WAKING), so
 * a wake-up, a deadline and a kill may race. Lock order: the caller's
 * spinlocks -> waitq.lock -> the sleep queue's -> the run queue's.
 */
#pragma once

#include <bsd/sys/queue.h>

#include "arch/x86_64/spin.h"
#include "arch/x86_64/time.h"

struct waitq {
	struct spinlock lock; /* guards the list */
	TAILQ_HEAD(waitq_threads, thread) threads;
};

#define WAITQ_INIT(wq) \
	{ SPINLOCK_INIT(waitq), TAILQ_HEAD_INITIALIZER((wq).threads) }
#define waitq_init(wq) ((void)(*(wq) = (struct waitq)WAITQ_INIT(*(wq))))

/* Sleeps until woken, or until the deadline (ns since boot, 0: none); gives up
 * `release` (may be NULL) once no wake-up can be missed, and does not retake
 * it. `killable`, for work on behalf of a user thread: ends, too, when the task
 * is killed: false. No other spinlock held. */
bool waitq_sleep_on(struct waitq *wq, struct spinlock *release,
		    uint64_t deadline_ns, bool killable);
#define waitq_sleep(wq, release) waitq_sleep_until(wq, release, 0)
#define waitq_sleep_until(wq, release, deadline_ns) \
	waitq_sleep_on(wq, release, deadline_ns, false)
#define waitq_wait(wq, release, deadline_ns) \
	waitq_sleep_on(wq, release, deadline_ns, true)

/* Wakes up to `max` threads, those that have slept longest. Any context, with
 * spinlocks held or not. */
void waitq_wake(struct waitq *wq, unsigned max);
#define waitq_wake_all(wq) waitq_wake(wq, UINT32_MAX)

/* A lock that sleeps; threads only, no spinlock held. */
struct mutex {
	struct spinlock lock;
	struct thread *owner; /* under lock; NULL: free */
	struct waitq waiters;
};

#define MUTEX_INIT(m) \
	{ SPINLOCK_INIT(mutex), NULL, WAITQ_INIT((m).waiters) }
#define mutex_init(m) ((void)(*(m) = (struct mutex)MUTEX_INIT(*(m))))
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);

/* Sleeps for at least `ns`. No spinlock held. */
void thread_sleep_ns(uint64_t ns);

/* Lets others run if they should. No spinlock held. */
void cond_resched(void);

/* Starts a kernel thread; panics when there is no memory for it. prio: 0
 * (lowest) to 31. */
void thread_create_kernel(const char *name, void (*fn)(void *), void *arg,
			  unsigned prio);
