/*
 * mm.h - starting memory management.
 */
#ifndef MM_MM_H
#define MM_MM_H

struct bootinfo;

/* Frames, kernel heap, page tables' allocator, TLB debt, swap space: all
 * that needs no thread. Boot, one CPU, after the direct map is complete and
 * params are parsed. Panics when memory does not suffice. */
void mm_init(const struct bootinfo *bi);

/* The threads of mm: the swap device's and reclaim's. Boot, after the
 * scheduler can create threads. */
void mm_start(void);

#endif
