/*
 * pagetable.h - what mm's own files share about PTEs.
 */
#pragma once

#include "mm/aspace.h"
#include "mm/frame.h"

/* Makes sure that aspace_pte(as, va) is not NULL, unless the space is dead.
 * Takes as->lock itself; may reclaim and sleep. 0, -WEIR_ENOMEM,
 * -WEIR_EFULL (over the limit). */
int aspace_prepare_pte(struct aspace *as, uint64_t va);

/* Takes from the PTEs of [va, end) what `prot` does not allow. D stays: while
 * the flush is due, an entry that looks read-only may still be written
 * through, and reclaim must see it as dirty (I11, I12). What becomes allowed
 * is granted by the next fault. True if a PTE changed. Holds as->lock. */
bool aspace_restrict(struct aspace *as, uint64_t va, uint64_t end,
		     unsigned prot);

/* Bytes that one leaf table maps: holes are skipped by this step. */
#define TABLE_SPAN (512 * 4096ull)

/* The PTE flags for a page mapped with `prot`. */
static inline pte_t pte_flags(unsigned prot)
{
	return PTE_P | PTE_U | PTE_A | (prot & WEIR_P_WRITE ? PTE_W : 0) |
	       (prot & WEIR_P_EXEC ? 0 : PTE_NX);
}
