/*
 * readahead.h - which pages a thread will want next.
 */
#pragma once

#include "kernel/param.h"
#include "mm/memobj.h"

/* What a thread reads in the order of its addresses: two runs, for it may copy
 * from one to the other. Its own: no lock. */
struct readahead {
	struct run {
		uint64_t next;   /* number of the first page not read yet */
		unsigned window; /* pages to read ahead */
	} runs[2];
	unsigned older; /* the one to forget first */
};

/* A page that may be next of a run, which begins anew if it is not. As
 * readahead. */
unsigned readahead_run(struct run *r, struct memobj *obj, uint64_t index,
		       uint64_t page, struct frame **out);

/* The thread of `ra` is about to read page `index` of `obj` from swap, which
 * is page `page` of its space: the pages behind it that should be read with
 * it, at most READAHEAD_MAX. None until a thread goes on where it was, with
 * nothing but pages that are in memory between; from then on, each time, twice
 * as many, up to params.readahead. None, too, where memory or swap is short;
 * and none that a program would have to read. Each is in a frame of its own
 * in state PINNED, which has a family and an index. Returns how many. Holds
 * the family's lock. (So Linux reads files ahead, mm/readahead.c; pages from
 * swap it reads around the fault, as many as were hit lately.) */
static inline unsigned readahead(struct readahead *ra, struct memobj *obj,
				 uint64_t index, uint64_t page,
				 struct frame **out)
{
	unsigned i = 0;

	while (i < 2 && page - ra->runs[i].next > READAHEAD_MAX)
		i++;
	if (i < 2) {
		ra->older = !i;
		return readahead_run(&ra->runs[i], obj, index, page, out);
	}
	ra->runs[ra->older] = (struct run){ .next = page + 1 };
	ra->older = !ra->older;
	return 0;
}
