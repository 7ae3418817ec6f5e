/*
 * memobj.h - memory objects: what a page contains, wherever it is.
 *
 * An anonymous or paged object is a sparse array of pages; each entry says
 * where the page is: nowhere yet (zero, or with its pager), in a frame, or in
 * a swap slot. Page tables only cache this: a PTE is either present or 0, so
 * there are no swap PTEs to go stale. A frame on its way out stays in its
 * entry until its bytes are safe: the entry is the swap cache (I17).
 * A wired object is a run of physical memory that is never reclaimed.
 * An object and its clones are a family. Two members share the page at an
 * index exactly when their entries there are equal, so nobody counts; a
 * shared page is never mapped writable, and who writes gets a copy (fault.c).
 */
#pragma once

#include "kernel/sync.h"
#include "mm/radix.h"

#define MEMOBJ_MAX_PAGES (1ull << 27) /* 512 GiB: three radix levels */

/* One page of an object: 0, a frame pointer, or (slot << 1 | 1). */
typedef uintptr_t memobj_entry_t;

static inline uint32_t entry_slot(memobj_entry_t e)
{
	return e >> 1;
}
static inline memobj_entry_t entry_of_slot(uint32_t slot)
{
	return (memobj_entry_t)slot << 1 | 1;
}
static inline struct frame *entry_frame(memobj_entry_t e)
{
	return e & 1 ? (struct frame *)0 : (struct frame *)e;
}

/* An object and its clones. */
struct family {
	struct pager *pager; /* constant: who keeps the pages; NULL: swap */
	uint64_t refs; /* atomic: members, isolated frames */
	uint64_t found; /* the audit's: how many of these there are */
	LIST_ENTRY(family) all_link; /* under families_lock */

	struct spinlock lock; /* guards all below, what the members guard by
			       * it, and the fields of their frames */
	LIST_HEAD(, memobj) members;
	uint64_t limbo; /* the last group that has frames of it (limbo.c) */
	unsigned cloning; /* clones under way: nobody copies or begins to
			   * write until their flush is done (I13) */
	struct waitq cloned;
};

struct memobj {
	/* Constant after creation. */
	uint64_t npages;
	uint64_t wired_pa; /* wired objects: first byte; else 0 */
	bool wired;
	struct family *family; /* a reference is held */
	bool block; /* wired to frames of its own, freed with it */

	uint64_t refs; /* atomic: handles, regions, faults */
	uint64_t found; /* the audit's: how many of these there are */

	/* Under family->lock. */
	uint64_t pages; /* entries that are not 0; read without it, too */
	LIST_ENTRY(memobj) sibling;
	struct radix array; /* its account pays for the pages, too */
	LIST_HEAD(, region) regions; /* the reverse mapping starts here */
};

/* All families; for the audit. */
extern LIST_HEAD(family_list, family) families;

/* A new object of `npages` (1..MEMOBJ_MAX_PAGES) zero pages, one reference;
 * NULL when out of memory or out of range. Uses no frame until touched; what
 * it uses then is charged to `account`. `pager` keeps its pages (NULL: swap);
 * the object takes over a reference to it. */
struct memobj *memobj_create(uint64_t npages, struct pager *pager,
			     struct account *account);

/* A new object of `fam` without pages, or NULL. */
struct memobj *memobj_create_member(uint64_t npages, struct family *fam,
				    struct account *account);

/* An object over `npages` of physical memory at `pa` (page aligned), which
 * stays in place for ever; NULL when out of memory. */
struct memobj *memobj_create_wired(uint64_t pa, uint64_t npages);

/* The same over fresh frames in one piece, zeroed, which go with it; NULL
 * also where there is no such piece. Any context. */
struct memobj *memobj_create_block(uint64_t npages);

struct memobj *memobj_get(struct memobj *obj);

/* Drops a reference; the last one frees every frame and slot that no other
 * member of the family shares. No spinlock held. Does not sleep. */
void memobj_put(struct memobj *obj);

/* A copy of an anonymous object, which takes no frame until either of them is
 * written. No CPU writes to a shared page once it returns (P3, I13). Each of
 * them is charged for all its pages. Sleeps. 0, -WEIR_EINVAL (not anonymous),
 * -WEIR_EBUSY (a page is pinned), -WEIR_ENOMEM, -WEIR_EFULL (over the
 * limit). */
int memobj_clone(struct memobj *obj, struct account *account,
		 struct memobj **clone);

/* Brings page `index` of an anonymous or paged object into memory for good, or
 * lets it go again. Sleeps. 0, or as aspace_fault. */
int memobj_pin(struct memobj *obj, uint64_t index);
void memobj_unpin(struct memobj *obj, uint64_t index);

/* References of a family. Any context, any lock; put may sleep. */
void family_get(struct family *fam);
void family_put(struct family *fam);

/* The entry of page `index`, or NULL where a table is missing: radix_prepare
 * adds it. Caller holds the family's lock. */
static inline memobj_entry_t *memobj_entry(struct memobj *obj, uint64_t index)
{
	assert(spin_held(&obj->family->lock));
	assert(index < obj->npages);
	return radix_cell(&obj->array, index);
}

/* Puts `e` into an entry of the object; what is not 0 is charged. False: that
 * would pass the limit, and nothing is changed. Caller holds the lock. */
bool memobj_set(struct memobj *obj, memobj_entry_t *entry, memobj_entry_t e);

/* The member after `m` (NULL: the first) whose page `index` is `e`, which is
 * not 0; NULL: no more. Caller holds the family's lock. */
static inline struct memobj *family_next(struct family *fam, struct memobj *m,
					 uint64_t index, memobj_entry_t e)
{
	for (m = m ? LIST_NEXT(m, sibling) : LIST_FIRST(&fam->members); m;
	     m = LIST_NEXT(m, sibling)) {
		memobj_entry_t *entry = memobj_entry(m, index);

		if (entry && *entry == e)
			break;
	}
	return m;
}

/* Whether another member shares the page. Caller holds the family's lock. */
bool memobj_shares(struct memobj *obj, uint64_t index);

/* `was` (not 0) becomes `e` for all who share it. Caller holds the family's
 * lock. */
void family_replace(struct family *fam, uint64_t index, memobj_entry_t was,
		    memobj_entry_t e);

/* Frees a frame that no entry names any more, unless somebody has it who
 * will: a pass of reclaim, or a fault that copies it (mapcount). Caller holds
 * the family's lock. */
void family_drop_frame(struct frame *f);
