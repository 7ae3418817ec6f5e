/*
 * map.c - map, unmap and protect: the calls that change regions.
 *
 * Each holds map_mutex throughout, and the family's lock then as->lock for
 * the moments in which regions and PTEs change. A call that takes permissions
 * away returns only when its own debt and every debt that reclaim had open
 * on the space are paid (P3, I7). Outcomes of an unmap that races with:
 *  A a fault: the fault finds the region dying and fails, or mapped the page
 *    before and the unmap clears it;
 *  B reclaim of a page of the region: whoever holds as->lock first clears
 *    the PTE; the other finds 0. If it was reclaim, aspace_flush_pending
 *    pays its batch's debt before we return (Z5). If it was us, reclaim
 *    finds the region dying and takes our debt into its batch (Z12, Z13).
 */
#include "mm/aspace.h"
#include "mm/kmalloc.h"
#include "mm/oracle.h"
#include "mm/point.h"
#include "mm/tlb.h"

/* Where aspace_map looks for room when the caller does not care. */
#define MAP_BASE 0x10000000ull

static bool range_valid(uint64_t va, uint64_t npages)
{
	return va % WEIR_PAGE_SIZE == 0 && npages > 0 &&
	       npages <= WEIR_USER_TOP / WEIR_PAGE_SIZE &&
	       va <= WEIR_USER_TOP - npages * WEIR_PAGE_SIZE;
}

/* W^X: no page is writable and executable at once. */
static bool prot_valid(uint64_t prot)
{
	return prot == WEIR_P_READ || prot == (WEIR_P_READ | WEIR_P_WRITE) ||
	       prot == (WEIR_P_READ | WEIR_P_EXEC);
}

/* Makes `r` a region with the first fields of `like`. Holds the family's lock
 * and as->lock. */
static void add_region(struct region *r, struct region like)
{
	*r = like;
	memobj_get(r->obj);
	region_insert(&r->as->regions, r);
	r->as->nregions++;
	LIST_INSERT_HEAD(&r->obj->regions, r, obj_link);
}

int aspace_map(struct aspace *as, struct memobj *obj, uint64_t page_off,
	       uint64_t *va, uint64_t npages, uint64_t prot, unsigned maxprot)
{
	uint64_t bytes = npages * WEIR_PAGE_SIZE;
	int status = 0;

	if (npages > obj->npages || page_off > obj->npages - npages ||
	    !range_valid(*va, npages) || (*va && *va < WEIR_USER_BASE) ||
	    !prot_valid(prot))
		return -WEIR_EINVAL;
	if (prot & ~maxprot)
		return -WEIR_ERIGHTS;
	struct region *r = kzalloc(sizeof(*r));
	if (!r)
		return -WEIR_ENOMEM;
	mutex_lock(&as->map_mutex);
	mapping_lock(obj, as);
	if (!*va)
		*va = region_find_free(&as->regions, MAP_BASE, bytes);
	if (as->nregions >= REGIONS_MAX)
		status = -WEIR_EFULL;
	else if (!*va || as->tables.closed)
		status = -WEIR_ENOMEM;
	else if (!region_free_range(&as->regions, *va, *va + bytes))
		status = -WEIR_EBUSY;
	else
		add_region(r, (struct region){ .start = *va,
			.end = *va + bytes, .prot = prot, .maxprot = maxprot,
			.as = as, .obj = obj, .offset = page_off });
	mapping_unlock(obj, as);
	mutex_unlock(&as->map_mutex);
	if (status)
		kfree(r);
	return status;
}

/* Makes `va` a boundary between regions. Holds map_mutex; sleeps. */
static int split_at(struct aspace *as, uint64_t va)
{
	struct region *r = region_at_or_above(&as->regions, va), *upper, like;

	if (!r || r->start >= va)
		return 0;
	if (as->nregions >= REGIONS_MAX)
		return -WEIR_EFULL;
	upper = kzalloc(sizeof(*upper));
	if (!upper)
		return -WEIR_ENOMEM;
	mapping_lock(r->obj, as);
	like = *r;
	like.start = va;
	like.offset += (va - r->start) / WEIR_PAGE_SIZE;
	r->end = va;
	add_region(upper, like);
	mapping_unlock(r->obj, as);
	return 0;
}

bool aspace_clear_pte(struct region *r, uint64_t va, pte_t *pte)
{
	uint64_t index = r->offset + (va - r->start) / WEIR_PAGE_SIZE;
	pte_t old = pte_xchg(pte, 0);

	ORACLE(changed(r->as, va, old, 0));
	if (!(old & PTE_P))
		return false;
	r->as->resident--;
	if (r->obj->wired)
		return !PLANTED(Z18);
	struct frame *f = entry_frame(*memobj_entry(r->obj, index));

	assert(f && frame_pa(f) == pte_pa(old) && f->mapcount > 0);
	f->mapcount--;
	f->dirty |= !!(old & PTE_D);
	return true;
}

/* Clears a dying region's PTEs, one leaf table per lock hold. True if one of
 * them was present. */
static bool clear_region(struct region *r)
{
	bool changed = false;

	if (PLANTED(Z7))
		aspace_flush_pending(r->as);
	for (uint64_t va = r->start; va < r->end;) {
		uint64_t stop = (va / TABLE_SPAN + 1) * TABLE_SPAN;

		if (stop > r->end)
			stop = r->end;
		mapping_lock(r->obj, r->as);
		if (PLANTED(Z13) && !r->dying)
			LIST_REMOVE(r, obj_link);
		r->dying = true;
		pte_t *pte = aspace_pte(r->as, va);

		for (; pte && va < stop; va += WEIR_PAGE_SIZE)
			changed |= aspace_clear_pte(r, va, pte++);
		mapping_unlock(r->obj, r->as);
		va = stop;
		point(WEIR_POINT_clear);
	}
	return changed;
}

/* Opens a generation if PTEs were changed and pays it; and pays whatever
 * reclaim owes on this space, for a PTE that it cleared looks to us as if
 * nothing was to do (I7, Z5). */
static void settle(struct aspace *as, uint64_t va, uint64_t npages,
		   bool changed)
{
	spin_lock(&as->lock);
	uint64_t gen = changed ? tlb_debt(as) : 0;
	uint64_t owed = as->owed;
	ORACLE(recorded(as));
	spin_unlock(&as->lock);
	if (changed)
		tlb_flush_range(as, va, npages, gen);
	if (!PLANTED(Z7))
		aspace_flush_pending(as);
	ORACLE(visible(as, owed));
}

/* Forgets a region whose entries are flushed everywhere. */
static void drop_region(struct region *r)
{
	mapping_lock(r->obj, r->as);
	RB_REMOVE(region_tree, &r->as->regions, r);
	r->as->nregions--;
	if (!PLANTED(Z13))
		LIST_REMOVE(r, obj_link);
	mapping_unlock(r->obj, r->as);
	memobj_put(r->obj);
	kfree(r);
}

/* 0 if every page of [va, end) is mapped and allows `prot`. */
static int protect_check(struct aspace *as, uint64_t va, uint64_t end,
			 unsigned prot)
{
	while (va < end) {
		struct region *r = region_at_or_above(&as->regions, va);

		if (!r || r->start > va)
			return -WEIR_EFAULT;
		if (prot & ~r->maxprot)
			return -WEIR_ERIGHTS;
		va = r->end;
	}
	return 0;
}

bool aspace_restrict(struct aspace *as, uint64_t va, uint64_t end,
		     unsigned prot)
{
	/* LAB paging begin: take W and give NX, each in one locked step, to
	 * what is present; skip what has no table; tell the oracle; was a
	 * PTE changed? */
	pte_t keep = prot & WEIR_P_WRITE ? ~(pte_t)0 : ~(pte_t)PTE_W;
	pte_t add = prot & WEIR_P_EXEC ? 0 : PTE_NX;
	bool changed = false;

	for (; va < end; va += WEIR_PAGE_SIZE) {
		pte_t *pte = aspace_pte(as, va);

		if (!pte) {
			va = (va / TABLE_SPAN + 1) * TABLE_SPAN -
			     WEIR_PAGE_SIZE;
			continue;
		}
		if ((*pte & PTE_P) && ((*pte & keep) | add) != *pte) {
			pte_t old = pte_and(pte, keep);

			pte_or(pte, add);
			ORACLE(changed(as, va, old, (old & keep) | add));
			changed = true;
		}
	}
	return changed;
	/* LAB paging stub
	 * return false;
	 */
	/* LAB paging end */
}

static bool protect_region(struct region *r, unsigned prot)
{
	spin_lock(&r->as->lock);
	r->prot = prot;
	bool changed = aspace_restrict(r->as, r->start, r->end, prot);
	spin_unlock(&r->as->lock);
	return changed;
}

/* Sets the protection of the range, or unmaps it: `prot` is 0. */
static int change_range(struct aspace *as, uint64_t va, uint64_t npages,
			unsigned prot)
{
	uint64_t end = va + npages * WEIR_PAGE_SIZE;
	bool changed = false;
	struct region *r;

	if (!range_valid(va, npages))
		return -WEIR_EINVAL;
	mutex_lock(&as->map_mutex);
	int status = (prot ? protect_check(as, va, end, prot) : 0) ?:
		     split_at(as, va) ?: split_at(as, end);
	if (status)
		goto out;
	for (r = region_at_or_above(&as->regions, va); r && r->start < end;
	     r = RB_NEXT(region_tree, &as->regions, r))
		changed |= prot ? protect_region(r, prot) : clear_region(r);
	settle(as, va, npages, changed);
	while (!prot && (r = region_at_or_above(&as->regions, va)) &&
	       r->start < end)
		drop_region(r);
out:
	mutex_unlock(&as->map_mutex);
	return status;
}

int aspace_unmap(struct aspace *as, uint64_t va, uint64_t npages)
{
	return change_range(as, va, npages, 0);
}

int aspace_protect(struct aspace *as, uint64_t va, uint64_t npages,
		   uint64_t prot)
{
	if (!prot_valid(prot))
		return -WEIR_EINVAL;
	return change_range(as, va, npages, prot);
}
