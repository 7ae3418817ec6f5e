/*
 * readahead.c - which pages a thread will want next.
 *
 * Where faults go up page by page, a run of pages is read and mapped by one
 * fault; where they jump about, no page is read that nobody asked for.
 */
#include "mm/readahead.h"

#include "kernel/stat.h"
#include "kernel/thread.h"
#include "mm/swap.h"

/* Whether the `n` pages before page `index` are in memory. */
static bool present_before(struct memobj *obj, uint64_t index, uint64_t n)
{
	memobj_entry_t *entry;

	for (; n; n--) {
		entry = memobj_entry(obj, index - n);
		if (!entry || !entry_frame(*entry))
			return false;
	}
	return true;
}

/* The run goes on at page `page`, but for pages in memory: reads its window,
 * as readahead() does. False: there are others between. */
static bool go_on(struct run *r, struct memobj *obj, uint64_t index,
		  uint64_t page, struct frame **out, unsigned *n)
{
	uint64_t limit = __atomic_load_n(&params.readahead, __ATOMIC_RELAXED);
	uint64_t skipped = page - r->next, i;

	if (skipped > index || !present_before(obj, index, skipped))
		return false;
	r->window = r->window ? 2 * r->window : 1;
	if (r->window > limit)
		r->window = limit;
	if (swap_is_tight() || swap_attached())
		r->window = 0;
	for (i = 1; i <= r->window && index + i < obj->npages; i++) {
		memobj_entry_t *entry = memobj_entry(obj, index + i);
		struct frame *f;

		if (!entry || !*entry || entry_frame(*entry))
			continue;
		f = nr_free() > watermarks.min ? frame_alloc(FRAME_PAGED) :
						 NULL;
		if (!f)
			break;
		f->family = obj->family;
		f->index = index + i;
		out[(*n)++] = f;
	}
	r->next = page + i;
	stat_add(WEIR_C_swap_ra, *n);
	return true;
}

unsigned readahead(struct memobj *obj, uint64_t index, uint64_t page,
		   struct frame **out)
{
	struct readahead *ra = &current()->ahead;
	unsigned i, n = 0;

	for (i = 0; i < 2; i++)
		if (page - ra->runs[i].next <= READAHEAD_MAX &&
		    go_on(&ra->runs[i], obj, index, page, out, &n))
			break;
	if (i == 2) {
		i = ra->older;
		ra->runs[i] = (struct run){ .next = page + 1 };
	}
	ra->older = !i;
	return n;
}
