/*
 * rmap.h - from a frame to every PTE that maps it.
 *
 * No chains hang on a frame: it knows its family and page, the family its
 * members, an object its regions, and a region its space. All callers hold
 * the family's lock.
 */
#pragma once

#include <stdbool.h>

struct frame;
struct memobj;
struct tlb_batch;

/* Clears the accessed bits of the frame's PTEs, without a flush: at worst a
 * busy page looks idle. True if one was set; *dirty: a PTE or the frame is
 * dirty. */
bool rmap_age(struct frame *f, bool *dirty);

/* Whether a system task has the page among its mappings. */
bool rmap_system(struct frame *f);

/* Exchanges every PTE of the frame for 0 and records the debts in `b`; moves
 * dirty bits to the frame. True if one of the PTEs was dirty. */
bool rmap_unmap(struct frame *f, struct tlb_batch *b);
/* The same for the PTEs of one object that has the page. */
bool rmap_unmap_member(struct frame *f, struct memobj *m,
		       struct tlb_batch *b);
