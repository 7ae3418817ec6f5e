/*
 * pagetable.h - what mm's own files share about PTEs.
 */
#ifndef MM_PAGETABLE_H
#define MM_PAGETABLE_H

#include "mm/aspace.h"
#include "mm/frame.h"

/* How to ask for a frame on behalf of a space. What the system cannot go on
 * without may use the reserve, so that a program that takes all memory costs
 * only itself (P6). */
static inline unsigned aspace_frame_flags(const struct aspace *as)
{
	return FRAME_MAYWAIT | FRAME_ZERO | (as->system ? FRAME_RESERVE : 0);
}

/* Makes sure that aspace_pte(as, va) is not NULL, unless the space is dead.
 * Takes as->lock itself; may reclaim and sleep. 0 or -WEIR_ENOMEM. */
int aspace_prepare_pte(struct aspace *as, uint64_t va);

/* Bytes that one leaf table maps: holes are skipped by this step. */
#define TABLE_SPAN (512 * 4096ull)

/* The PTE flags for a page mapped with `prot`. */
static inline pte_t pte_flags(unsigned prot)
{
	return PTE_P | PTE_U | PTE_A | (prot & WEIR_P_WRITE ? PTE_W : 0) |
	       (prot & WEIR_P_EXEC ? 0 : PTE_NX);
}

#endif
