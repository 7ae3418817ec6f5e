/*
 * memobj.h - memory objects: what a page contains, wherever it is.
 *
 * An anonymous or paged object is a sparse array of pages; each entry says
 * where the page is: nowhere yet (zero, or with its pager), in a frame, or in
 * a swap slot. Page tables only cache this: a PTE is either present or 0, so
 * there are no swap PTEs to go stale. A frame on its way out stays in its
 * entry until its bytes are safe: the entry is the swap cache (I17).
 * A wired object is a run of physical memory that is never reclaimed.
 */
#ifndef MM_MEMOBJ_H
#define MM_MEMOBJ_H

#include <stdbool.h>
#include <stdint.h>

#include <bsd/sys/queue.h>

#include "arch/x86_64/spin.h"

struct frame;
struct pager;
struct region;

#define MEMOBJ_MAX_PAGES (1ull << 27) /* 512 GiB: three radix levels */

/* One page of an object: 0, a frame pointer, or (slot << 1 | 1). */
typedef uintptr_t memobj_entry_t;

static inline bool entry_is_slot(memobj_entry_t e)
{
	return e & 1;
}
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

struct memobj {
	/* Constant after creation. */
	uint64_t npages;
	uint64_t wired_pa; /* wired objects: first byte; else 0 */
	bool wired;
	bool block;        /* wired to frames of its own, freed with it */
	struct pager *pager; /* paged objects: who keeps the pages; else NULL */

	uint64_t refs; /* atomic: handles, regions, isolated frames */

	struct spinlock lock; /* guards all below, and its frames' fields */
	void *root;           /* radix tree of entries */
	unsigned height;
	LIST_HEAD(, region) regions; /* the reverse mapping starts here */
};

/* A new object of `npages` (1..MEMOBJ_MAX_PAGES) zero pages, one reference;
 * NULL when out of memory or out of range. Uses no frame until touched. */
struct memobj *memobj_create_anon(uint64_t npages);

/* A new object whose pages `pager` keeps; takes over a reference to it. */
struct memobj *memobj_create_paged(uint64_t npages, struct pager *pager);

/* An object over `npages` of physical memory at `pa` (page aligned), which
 * stays in place for ever; NULL when out of memory. */
struct memobj *memobj_create_wired(uint64_t pa, uint64_t npages);

/* The same over fresh frames in one piece, zeroed, which go with it; NULL
 * also where there is no such piece. Any context. */
struct memobj *memobj_create_block(uint64_t npages);

/* Pages that are in a frame or a slot; an estimate. Holds a reference. */
uint64_t memobj_present(const struct memobj *obj);

struct memobj *memobj_get(struct memobj *obj);

/* Takes a reference unless the object is already dying. May be called with
 * any lock held. */
bool memobj_get_live(struct memobj *obj);

/* Drops a reference; the last one frees every frame and slot. Holds no lock
 * that comes before the frame allocator's. Does not sleep. */
void memobj_put(struct memobj *obj);

/* The entry of page `index`; with `create`, missing radix nodes are made
 * (NULL then means out of memory). Caller holds obj->lock; `spare` is a
 * stack of zeroed frames to build nodes from, see memobj_prepare. */
memobj_entry_t *memobj_entry(struct memobj *obj, uint64_t index);

/* Makes sure that memobj_entry(obj, index) exists; `flags` as of frame_alloc,
 * with FRAME_ZERO. Takes obj->lock itself,
 * may reclaim and sleep; no lock held. 0 or -WEIR_ENOMEM. */
int memobj_prepare(struct memobj *obj, uint64_t index, unsigned flags);

#endif
