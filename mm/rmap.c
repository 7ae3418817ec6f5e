/*
 * rmap.c - from a frame to every PTE that maps it.
 *
 * A region that is being unmapped (dying) stays on its object's list until
 * its flush is done. Its PTE is 0 already, yet some CPU may still hold the
 * entry: who unmaps the frame then takes that debt over (Z12, Z13, I11).
 */
#include "mm/reclaim.h"

#include "mm/oracle.h"
#include "mm/point.h"

/* The address at which `r` maps the frame; 0: it does not. */
static uint64_t rmap_va(struct region *r, struct frame *f)
{
	/* LAB rmap begin: is the frame's page one of those that the region
	 * shows? */
	uint64_t npages = (r->end - r->start) / WEIR_PAGE_SIZE;

	if (f->index < r->offset || f->index - r->offset >= npages)
		return 0;
	return r->start + (f->index - r->offset) * WEIR_PAGE_SIZE;
	/* LAB rmap stub
	 * return 0;
	 */
	/* LAB rmap end */
}

static struct memobj *next_member(struct frame *f, struct memobj *m)
{
	return family_next(f->family, m, f->index, (memobj_entry_t)f);
}

bool rmap_age(struct frame *f, bool *dirty)
{
	struct memobj *m = NULL;
	struct region *r;
	bool accessed = false;

	*dirty = f->dirty;
	while ((m = next_member(f, m)))
		LIST_FOREACH(r, &m->regions, obj_link) {
			uint64_t va = rmap_va(r, f);

			if (!va)
				continue;
			spin_lock(&r->as->lock);
			pte_t *pte = aspace_pte(r->as, va);
			pte_t old = pte ? *pte & (PTE_A | PTE_D) : 0;

			/* LAB rmap begin: collect A and D; take A away, in
			 * one locked step, and leave D where it is */
			accessed |= !!(old & PTE_A);
			*dirty |= !!(old & PTE_D);
			if (old & PTE_A)
				pte_and(pte, ~(pte_t)PTE_A);
			/* LAB rmap end */
			if (PLANTED(Z25) && (old & PTE_D) &&
			    pte_and(pte, ~(pte_t)PTE_D))
				f->dirty = true;
			spin_unlock(&r->as->lock);
		}
	return accessed;
}

bool rmap_system(struct frame *f)
{
	struct memobj *m = NULL;
	struct region *r;

	while ((m = next_member(f, m)))
		LIST_FOREACH(r, &m->regions, obj_link)
			if (r->as->system && rmap_va(r, f))
				return true;
	return false;
}

/* Takes the PTE out. One atomic exchange (I1): between a read and a later
 * write the hardware could set D, and the store would be lost (Z22). */
static pte_t take_pte(pte_t *pte)
{
	/* LAB rmap begin: take it out so that no bit that the hardware sets
	 * meanwhile is lost */
	if (PLANTED(Z22)) {
		pte_t old = *pte;

		cpu_relax();
		*(volatile pte_t *)pte = 0;
		return old;
	}
	return pte_xchg(pte, 0);
	/* LAB rmap stub
	 * return *pte;
	 */
	/* LAB rmap end */
}

bool rmap_unmap_member(struct frame *f, struct memobj *m, struct tlb_batch *b)
{
	struct region *r;
	bool dirty = false;

	assert(spin_held(&f->family->lock));
	LIST_FOREACH(r, &m->regions, obj_link) {
		uint64_t va = rmap_va(r, f);

		if (!va)
			continue;
		spin_lock(&r->as->lock);
		pte_t *pte = aspace_pte(r->as, va);

		/* A copy must be seen by all who had the frame, also where a
		 * pass has unmapped it and not flushed yet. */
		if ((r->dying && !PLANTED(Z12)) ||
		    (f->copied && aspace_owes(r->as) && !PLANTED(Z19)))
			tlb_batch_inherit(b, r->as);
		if (pte && (*pte & PTE_P)) {
			pte_t old = take_pte(pte);

			ORACLE(changed(r->as, va, old, 0));
			if (PLANTED(Z8))
				spin_unlock(&r->as->lock);
			point(WEIR_POINT_unmap);
			if (PLANTED(Z8))
				spin_lock(&r->as->lock);
			/* LAB rmap begin: record the debt, keep what the PTE
			 * knew, and count one mapping less, of the frame and
			 * of the space */
			if (!PLANTED(Z24) || old & PTE_A)
				tlb_batch_add(b, r->as, va, old); /* I2 */
			dirty |= !!(old & PTE_D);
			r->as->resident--;
			f->mapcount--;
			/* LAB rmap end */
		}
		spin_unlock(&r->as->lock);
	}
	f->dirty |= dirty;
	return dirty;
}

bool rmap_unmap(struct frame *f, struct tlb_batch *b)
{
	struct memobj *m = NULL;
	bool dirty = false;

	while ((m = next_member(f, m)))
		dirty |= rmap_unmap_member(f, m, b);
	return dirty;
}
