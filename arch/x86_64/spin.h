/*
 * spin.h - spinlocks that keep interrupts off while held.
 *
 * Locks nest per CPU: the outermost spin_lock notes whether interrupts were
 * on, the last spin_unlock restores that. Who spins for 10 s panics, naming
 * the lock and its holder: nobody may sleep or wait under a spinlock. Who
 * takes one out of order panics, naming both (lock_order.h).
 * Not a ticket lock: where the host has fewer cores than we have CPUs, the
 * next in line is often not running, and all would wait for its turn. But who
 * has waited for a millisecond is the next, if nobody is yet: an emulator
 * that runs one CPU at a time may else look at the others always when the
 * same one has the lock.
 */
#pragma once

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/panic.h"

#include "arch/x86_64/lock_order.h"

struct spinlock {
	union {
		struct {
			uint8_t holder; /* CPU id + 1; 0: free */
			uint8_t next;   /* alone may take it; 0: anybody */
		};
		uint16_t both;
	};
	enum lock_rank rank;
};

#define SPINLOCK_INIT(name) { .rank = RANK_##name }
#define spin_init(l, of_rank) \
	((void)(*(l) = (struct spinlock){ .rank = (of_rank) }))

/* *p becomes `next` if it is *was; else *was becomes what it is: false. */
#define compare_exchange(p, was, next)                             \
	__atomic_compare_exchange_n(p, was, next, false,           \
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

void spin_lock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
/* Held by this CPU? For assertions. */
static inline bool spin_held(const struct spinlock *l)
{
	return __atomic_load_n(&l->holder, __ATOMIC_RELAXED) == cpu_id() + 1;
}

/* For the fast path of IPC, all of which runs with interrupts off: as lock
 * and unlock without their bookkeeping, but false, and nothing has changed,
 * when the lock is taken or somebody is next. `holder`: CPU id + 1. */
static inline bool spin_try_quick(struct spinlock *l, uint16_t holder)
{
	uint16_t nobody = 0;

	return compare_exchange(&l->both, &nobody, holder);
}

static inline void spin_drop_quick(struct spinlock *l)
{
	__atomic_store_n(&l->holder, 0, __ATOMIC_RELEASE);
}
