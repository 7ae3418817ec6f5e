/*
 * readahead.c - which pages a thread will want next.
 *
 * Where faults go up page by page, a run of pages is read and mapped by one
 * fault; where they jump about, no page is read that nobody asked for.
 */
#include "mm/readahead.h"

#include "kernel/stat.h"
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

unsigned readahead_run(struct run *r, struct memobj *obj, uint64_t index,
		       uint64_t page, struct frame **out)
{
	uint64_t limit = __atomic_load_n(&params.readahead, __ATOMIC_RELAXED);
	uint64_t skipped = page - r->next, i;
	unsigned n = 0;

	if (skipped > index || !present_before(obj, index, skipped) ||
	    swap_is_tight())
		limit = 0;
	r->window = r->window ? 2 * r->window : 1;
	if (r->window > limit)
		r->window = limit;
	for (i = 1; i <= r->window && index + i < obj->npages &&
		    nr_free() > watermarks.min; i++) {
		memobj_entry_t *entry = memobj_entry(obj, index + i);

		if (!entry || !*entry || entry_frame(*entry) ||
		    entry_slot(*entry) & SLOT_ATTACHED)
			continue;
		out[n] = frame_alloc(FRAME_PAGED);
		if (!out[n])
			break;
		out[n]->family = obj->family;
		out[n++]->index = index + i;
	}
	r->next = page + i;
	stat_add(WEIR_C_swap_ra, n);
	return n;
}
