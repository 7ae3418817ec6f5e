/* Host stand-in: see shim.h. */
#pragma once
#include <pthread.h>
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/lock_order.h"
#include "arch/x86_64/panic.h"
struct spinlock {
	pthread_mutex_t mutex;
	unsigned owner; /* CPU + 1, under the lock */
	enum lock_rank rank;
};
#define SPINLOCK_INIT(name) { PTHREAD_MUTEX_INITIALIZER, 0, RANK_##name }
void spin_init(struct spinlock *l, enum lock_rank rank);
void spin_lock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
bool spin_held(struct spinlock *l);
