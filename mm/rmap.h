/*
 * rmap.h - from a frame to every PTE that maps it.
 *
 * No chains hang on a frame: it knows its object and page, the object knows
 * its regions, and a region knows its space. All callers hold obj->lock.
 */
#ifndef MM_RMAP_H
#define MM_RMAP_H

#include <stdbool.h>

struct frame;
struct tlb_batch;

/* Clears the accessed bits of the frame's PTEs, without a flush: at worst a
 * busy page looks idle. True if one was set; *dirty: a PTE or the frame is
 * dirty. */
bool rmap_age(struct frame *f, bool *dirty);

/* Exchanges every PTE of the frame for 0 and records the debts in `b`; moves
 * dirty bits to the frame. True if one of the PTEs was dirty. */
bool rmap_unmap(struct frame *f, struct tlb_batch *b);

#endif
