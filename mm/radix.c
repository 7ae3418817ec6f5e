/*
 * radix.c - trees of tables: see radix.h.
 */
#include "mm/radix.h"

pte_t *radix_walk(struct radix *t, uint64_t index, pte_t **hole)
{
	/* LAB paging begin: go down from t->root, RADIX_BITS of the index a
	 * level, highest first; a cell that is 0 ends the walk: it is *hole */
	pte_t *cell = &t->root, *upper = NULL;

	for (unsigned level = t->levels; level-- > 0;) {
		if (!*cell) {
			if (hole)
				*hole = cell;
			return NULL;
		}
		upper = level ? upper : cell - index / RADIX_WAYS % RADIX_WAYS;
		cell = KVA(pte_pa(*cell));
		cell += index >> RADIX_BITS * level & (RADIX_WAYS - 1);
	}
	t->upper = upper;
	t->upper_of = index >> 2 * RADIX_BITS;
	return cell;
	/* LAB paging stub
	 * panic("radix_walk(%lu) is not written: lab paging", index);
	 */
	/* LAB paging end */
}

/* A frame for a table, charged; `flags` as of frame_alloc. 0, -WEIR_ENOMEM, or
 * -WEIR_EFULL: that would pass the limit. */
static int table_alloc(struct account *a, unsigned flags, struct frame **out)
{
	if (!account_charge(a, ACCOUNT_FRAMES, 1))
		return -WEIR_EFULL;
	*out = (frame_alloc)(flags);
	if (*out)
		return 0;
	account_uncharge(a, ACCOUNT_FRAMES, 1);
	return -WEIR_ENOMEM;
}

static void table_free(struct frame *f, struct account *a)
{
	account_uncharge(a, ACCOUNT_FRAMES, 1);
	frame_free(f);
}

int radix_prepare(struct radix *t, uint64_t index, unsigned flags)
{
	struct frame *spare = NULL;
	int status = 0;

	while (!status) {
		pte_t *hole = NULL;

		spin_lock(t->lock);
		if (!t->closed && !radix_walk(t, index, &hole) && spare) {
			/* LAB paging begin: the spare becomes the table that
			 * was missing; is another one? */
			*hole = frame_pa(spare) | PTE_P | PTE_W | PTE_U;
			spare = NULL;
			hole = NULL;
			radix_walk(t, index, &hole);
			/* LAB paging stub
			 * panic("no table is put into the hole: lab paging");
			 */
			/* LAB paging end */
		}
		spin_unlock(t->lock);
		if (!hole)
			break;
		if (!spare)
			status = INJECT_TASK("alloc-table", flags) ?
				 -WEIR_ENOMEM :
				 table_alloc(t->account, flags, &spare);
	}
	if (spare)
		table_free(spare, t->account);
	return status;
}

void radix_release(struct radix *t, pte_t *cell, unsigned levels,
		   uint64_t index,
		   void (*leaf)(struct radix *t, uint64_t index, pte_t *cell))
{
	uint64_t pa = pte_pa(*cell), span = 1ull << RADIX_BITS * (levels - 1);
	pte_t *table = KVA(pa);

	if (!*cell)
		return;
	for (unsigned i = 0; levels > 1 && i < RADIX_WAYS; i++)
		radix_release(t, &table[i], levels - 1, index + i * span,
			      leaf);
	spin_lock(t->lock);
	for (unsigned i = 0; leaf && levels == 1 && i < RADIX_WAYS; i++)
		leaf(t, index + i, &table[i]);
	*cell = 0;
	t->upper = NULL;
	spin_unlock(t->lock);
	table_free(frame_of_pa(pa), t->account);
}
