/*
 * spin.h - spinlocks that keep interrupts off while held.
 *
 * Locks nest per CPU: the outermost spin_lock notes whether interrupts were
 * on, the last spin_unlock restores that. Who spins for 10 s panics, naming
 * the lock and its holder: nobody may sleep or wait under a spinlock. Who
 * takes one out of order panics, naming both (lock_order.h).
 * Not a ticket lock: where the host has fewer cores than we have CPUs, the
 * next in line is often not running, and all would wait for its turn.
 */
#pragma once

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/panic.h"

#include "arch/x86_64/lock_order.h"

struct spinlock {
	uint32_t holder; /* CPU id + 1; 0: free */
	enum lock_rank rank;
};

#define SPINLOCK_INIT(name) { .rank = RANK_##name }
#define spin_init(l, of_rank) \
	((void)(*(l) = (struct spinlock){ .rank = (of_rank) }))

void spin_lock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
/* Held by this CPU? For assertions. */
bool spin_held(const struct spinlock *l);

/* For the fast path of IPC, all of which runs with interrupts off: as lock
 * and unlock without their bookkeeping, but false, and nothing has changed,
 * when the lock is taken. `holder`: CPU id + 1. */
static inline bool spin_try_quick(struct spinlock *l, uint32_t holder)
{
	uint32_t nobody = 0;

	return __atomic_compare_exchange_n(&l->holder, &nobody, holder, false,
					   __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static inline void spin_drop_quick(struct spinlock *l)
{
	__atomic_store_n(&l->holder, 0, __ATOMIC_RELEASE);
}
