/*
 * lock_order.h - every kind of spinlock, outermost first.
 *
 * A CPU takes a lock only if all that it holds are of kinds above it in this
 * list, else spin_lock panics: so two CPUs cannot wait for each other, and
 * where they might is found without their meeting. No two locks of one kind
 * are ever held together. They may be given back in any order. The fast path
 * of IPC tries its locks, and so is free of the order. Sleeping locks
 * (aspace.map_mutex, pager.bounce_mutex) are outside of all.
 */
#pragma once

#define LOCK_ORDER(X)                                                    \
	X(tasks) X(ipc) X(task) X(handles)                               \
	X(family) X(aspace) X(lru) X(arrivals) X(families) X(slots)      \
	X(kmap) X(kmalloc) X(frame_cache) X(frames)                      \
	/* What is held while somebody is woken, and by what. */         \
	X(pager) X(irq) X(passes) X(pass) X(pageio) X(ramdisk) X(reclaim) \
	X(mutex) X(ntfn) X(waitq) X(sleepq) X(runq)                      \
	/* Under anything. */                                            \
	X(ioapic) X(oracle) X(uart)

#define LOCK_RANK(name) RANK_##name,
enum lock_rank { LOCK_ORDER(LOCK_RANK) NRANKS };
_Static_assert(NRANKS <= 32, "cpu.h: locks_held");

#define RANK_BIT(name) (1u << RANK_##name)
