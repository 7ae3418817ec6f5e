/* Host stand-in: see shim.h. */
#pragma once
#include <pthread.h>
#include <bsd/sys/queue.h>
#include "arch/x86_64/spin.h"
#include "arch/x86_64/time.h"
struct thread;
struct waitq {
	pthread_cond_t cond;
};
struct mutex {
	pthread_mutex_t mutex;
};
#define WAITQ_INIT(wq) { PTHREAD_COND_INITIALIZER }
void waitq_init(struct waitq *wq);
void waitq_sleep(struct waitq *wq, struct spinlock *release);
void waitq_sleep_until(struct waitq *wq, struct spinlock *release,
		       uint64_t deadline_ns);
/* On the host nobody is killed. */
bool waitq_wait(struct waitq *wq, struct spinlock *release,
		uint64_t deadline_ns);
void waitq_wake_all(struct waitq *wq);
void waitq_wake(struct waitq *wq, unsigned max);
void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);
void thread_sleep_ns(uint64_t ns);
void thread_create_kernel(const char *name, void (*fn)(void *), void *arg,
			  unsigned prio);
static inline void cond_resched(void) { }
