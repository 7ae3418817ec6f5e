/*
 * kmalloc.h - small pieces of kernel memory.
 *
 * Size classes of powers of two from 64 bytes to 2 KiB, cut from frames;
 * larger requests get whole frames, up to 4 MiB. Never waits, so that it
 * may be called with any lock held; reclaim never calls it (P5).
 */
#pragma once

#include <stddef.h>

#include "mm/inject.h"

/* `size` bytes of zeroes, aligned to 64 at least, and to their size when
 * that is a power of two up to 4096; NULL when out of memory, for a size
 * of 0 and for more than KMALLOC_MAX. Any context, any lock. Each call is a
 * point of inject.h; what cannot fail after boot calls (kzalloc). */
#define KMALLOC_MAX (4096ul << 10)
void *kzalloc(size_t size);
#define kzalloc(size) (INJECT_TASK("alloc-heap", 0) ? NULL : \
		       (kzalloc)(size))

/* Gives a piece back; NULL is allowed. Panics on what was not kzalloc'ed or
 * was freed already. Any context, any lock. */
void kfree(void *p);
