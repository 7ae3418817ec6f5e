/* Host stand-in: see shim.h. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
struct spinlock {
	pthread_mutex_t mutex;
	unsigned owner; /* CPU + 1, under the lock */
	const char *name;
};
#define SPINLOCK_INIT(n) { PTHREAD_MUTEX_INITIALIZER, 0, n }
void spin_init(struct spinlock *l, const char *name);
void spin_lock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
bool spin_trylock(struct spinlock *l);
bool spin_held(struct spinlock *l);
