/*
 * radix.h - trees of tables with 512 cells each, a frame each.
 *
 * Page tables and the arrays of objects are such trees. A cell that leads to
 * a table is a PTE that is present, or 0; what a leaf's cells are is the
 * owner's matter. Tables are only added while the owner lives, and are
 * charged to an account.
 */
#pragma once

#include "mm/account.h"

#define RADIX_BITS 9u
#define RADIX_WAYS (1u << RADIX_BITS)

struct radix {
	/* Constant. */
	struct spinlock *lock; /* guards all below, and the cells */
	struct account *account; /* who pays for tables; a reference is held */
	unsigned levels; /* of tables */

	pte_t root;  /* the cell above them all */
	bool closed; /* no more tables */

	/* The table above the leaf that was walked to last, and what it is of
	 * (index over RADIX_WAYS^2); NULL: none. */
	pte_t *upper;
	uint64_t upper_of;
};

/* The leaf's cell `index`, or NULL where a table is missing, with *hole, if it
 * is wanted, set to the empty cell above. Holds the lock. */
pte_t *radix_walk(struct radix *t, uint64_t index, pte_t **hole);

/* The same, and quick where the last walk ended nearby. */
static inline pte_t *radix_cell(struct radix *t, uint64_t index)
{
	if (!t->upper || t->upper_of != index >> 2 * RADIX_BITS)
		return radix_walk(t, index, NULL);
	pte_t leaf = t->upper[index / RADIX_WAYS % RADIX_WAYS];
	return leaf ? (pte_t *)KVA(pte_pa(leaf)) + index % RADIX_WAYS : NULL;
}

/* Makes sure that the cell `index` exists, unless the tree is closed; `flags`
 * as of frame_alloc, with FRAME_ZERO. Takes the lock itself, may reclaim and
 * sleep; no lock held. 0, -WEIR_ENOMEM, -WEIR_EFULL (over the limit). */
int radix_prepare(struct radix *t, uint64_t index, unsigned flags);

/* Frees the tables that hang on `cell`, which is above `levels` of them and
 * leads to the leaves' cells from `index` on; first empties each of these by
 * leaf(), with the lock held (NULL: they are empty). */
void radix_release(struct radix *t, pte_t *cell, unsigned levels,
		   uint64_t index,
		   void (*leaf)(struct radix *t, uint64_t index, pte_t *cell));
