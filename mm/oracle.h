/*
 * oracle.h - check=tlb: which CPU may still use which old translation.
 *
 * A second set of books beside tlb.c, kept from what happens and not from
 * what ought to: a PTE that is taken out or weakened is noted for each CPU of
 * its space, and struck out only where that CPU executes the instruction that
 * empties its TLB of it. Moments are counted by one clock. An entry noted at
 * moment m cannot be used by a CPU that has since flushed or gone to another
 * space (`caught_up` > m), nor while it only borrows the tables (not `live`);
 * when it becomes live again all debts of the space must be paid there, under
 * the tag that it has then (I16). What is found is a panic that names the
 * promise (P1, P2, P3), the invariant, the CPUs, and the frame's last events.
 *
 * Off, each hook is one test of `oracle_on`, which is constant after boot.
 */
#pragma once


#include "mm/aspace.h"

extern bool oracle_on;

/* `ORACLE(freed(f))` calls oracle_freed(f) if there is an oracle. */
#define ORACLE(call)                                    \
	do {                                            \
		if (__builtin_expect(oracle_on, false)) \
			oracle_##call;                  \
	} while (0)

/* Boot, after frames_setup, while early_alloc gives memory: sets the books up
 * if check=tlb is given. */
void oracle_init(void);

/* ---- what happens. Any context, any lock ---- */

/* The PTE at `va` of `as` was `old` and is `now`. Holds as->lock; after the
 * exchange, before the debt's generation is opened. */
void oracle_changed(struct aspace *as, uint64_t va, pte_t old, pte_t now);

/* A moment, for as->owed: taken before a debt's generation is opened, stored
 * after it. */
uint64_t oracle_moment(void);

/* On this CPU, interrupts off. `flushes`: all entries of the loaded tag go,
 * now; the generation that the CPU claims to have seen was read before.
 * `loads`: CR3 becomes `cr3`, for `as`, which flushes its tag or not.
 * `flushed_page`: the entry at `va` goes; `flushed_range`: these were all of
 * [va, va + npages pages), of the debt recorded at `owed`. */
void oracle_flushes(void);
void oracle_loads(struct aspace *as, uint64_t cr3);
void oracle_flushed_page(uint64_t va);
void oracle_flushed_range(uint64_t va, uint64_t npages, uint64_t owed);

/* This CPU stops using its user entries; and, once no bit says that it has
 * those of the last space: goes on with those of `as`, whose debts up to
 * moment `owed`, read before its generation was, are paid here (I16), whose set
 * of CPUs has this one (I3), and no other space's are left under its tag. NULL:
 * the kernel's own tables. Interrupts off. */
void oracle_sleeps(void);
void oracle_enters(struct aspace *as, uint64_t owed);

/* ---- what must hold then; each panics if it does not ---- */

/* P1, I5: nobody can use an old entry for one of the `n` frames. */
void oracle_allocated(struct frame *f, uint64_t n);
void oracle_freed(struct frame *f, uint64_t n);
/* P2, I4: nobody can write to the frame, whose bytes are now read, for IO or
 * a copy (I13); `into`: they are now written: nobody can use it. */
void oracle_io(struct frame *f, bool into);
/* P3, I2: what was taken out or weakened is owed. Holds as->lock. */
void oracle_recorded(struct aspace *as);
/* P3, I7: no CPU that uses `as` can use what debts up to `owed` are for. */
void oracle_visible(struct aspace *as, uint64_t owed);
/* I6: no CPU has the tables of `as` loaded. */
void oracle_tables_free(struct aspace *as);
