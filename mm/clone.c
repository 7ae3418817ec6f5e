/*
 * clone.c - copies of memory that share its pages until they are written.
 *
 * A clone takes over the entries of its original, one leaf of the array at a
 * time: under the family's lock entries are copied and the W bits of the
 * original's PTEs cleared, then every CPU that may have an older one flushes.
 * From the first leaf to the last flush nobody in the family begins to write
 * (fault.c waits on `cloned`): the clone is what the original was at one
 * moment, and no copy starts while a CPU can write to the source (I13, Z20).
 */
#include "kernel/thread.h"
#include "mm/oracle.h"
#include "mm/point.h"

/* Takes the right to write to pages [from, to) of the object from the PTEs of
 * `r`, and owes their flush, and that of all that others have removed there
 * and not flushed yet: reclaim, an unmap. Holds the family's lock. */
static void share_region(struct region *r, uint64_t from, uint64_t to,
			 struct tlb_batch *b)
{
	uint64_t end = r->offset + (r->end - r->start) / WEIR_PAGE_SIZE;

	from = from > r->offset ? from : r->offset;
	to = to < end ? to : end;
	if (from >= to)
		return;
	spin_lock(&r->as->lock);
	if (aspace_restrict(r->as,
			    r->start + (from - r->offset) * WEIR_PAGE_SIZE,
			    r->start + (to - r->offset) * WEIR_PAGE_SIZE,
			    r->prot & ~WEIR_P_WRITE) || !PLANTED(Z21))
		tlb_batch_inherit(b, r->as);
	spin_unlock(&r->as->lock);
}

/* The pages from `first` on of one leaf. Holds the family's lock. */
static int share_leaf(struct memobj *obj, struct memobj *clone, uint64_t first,
		      struct tlb_batch *b)
{
	uint64_t to = first + RADIX_WAYS;
	struct region *r;
	int status = 0;

	if (to > obj->npages)
		to = obj->npages;
	for (uint64_t i = first; !status && i < to; i++) {
		memobj_entry_t e = *memobj_entry(obj, i);

		if (entry_frame(e) && entry_frame(e)->pinned)
			status = -WEIR_EBUSY;
		else if (!memobj_set(clone, memobj_entry(clone, i), e))
			status = -WEIR_EFULL;
	}
	LIST_FOREACH(r, &obj->regions, obj_link)
		share_region(r, first, to, b);
	return status;
}

/* No CPU can write to a page that is shared now (P3, I13). */
static void check_shared(struct memobj *obj, uint64_t first)
{
	spin_lock(&obj->family->lock);
	for (uint64_t i = first; i < obj->npages && i < first + RADIX_WAYS; i++)
		if (entry_frame(*memobj_entry(obj, i)))
			ORACLE(io(entry_frame(*memobj_entry(obj, i)), false));
	spin_unlock(&obj->family->lock);
}

static int clone_leaf(struct memobj *obj, struct memobj *clone, uint64_t first)
{
	struct spinlock *lock = &obj->family->lock;
	struct tlb_batch *b = &current()->batch;

	spin_lock(lock);
	bool there = memobj_entry(obj, first);
	spin_unlock(lock);
	if (!there)
		return 0;
	int status = radix_prepare(&clone->array, first,
				   FRAME_MAYWAIT | FRAME_ZERO);
	if (status)
		return status;
	spin_lock(lock);
	status = share_leaf(obj, clone, first, b);
	spin_unlock(lock);
	point(WEIR_POINT_clone);
	if (!PLANTED(Z20))
		tlb_batch_flush(b);
	else
		*b = (struct tlb_batch){ 0 };
	if (oracle_on)
		check_shared(obj, first);
	return status;
}

static void set_cloning(struct family *fam, int n)
{
	spin_lock(&fam->lock);
	fam->cloning += n;
	spin_unlock(&fam->lock);
	waitq_wake_all(&fam->cloned);
}

int memobj_clone(struct memobj *obj, struct account *account,
		 struct memobj **out)
{
	struct family *fam = obj->family;
	int status = 0;

	if (obj->wired || fam->pager)
		return -WEIR_EINVAL;
	struct memobj *clone = memobj_create_member(obj->npages, fam, account);
	if (!clone)
		return -WEIR_ENOMEM;
	set_cloning(fam, 1);
	for (uint64_t i = 0; !status && i < obj->npages; i += RADIX_WAYS) {
		status = clone_leaf(obj, clone, i);
		cond_resched();
	}
	set_cloning(fam, -1);
	if (status)
		memobj_put(clone);
	else
		*out = clone;
	return status;
}
