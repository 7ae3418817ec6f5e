/*
 * region.c - the ordered, non-overlapping set of an address space's regions.
 *
 * A red-black tree (libbsd's sys/tree.h) keyed by start address. The caller
 * holds as->lock, or map_mutex when it only reads. Does no memory
 * management: regions belong to mm/map.c.
 */
#include "mm/aspace.h"

/* Of regions that touch each other neither is the first. */
static int region_order(struct region *a, struct region *b)
{
	return a->end <= b->start ? -1 : a->start >= b->end;
}

RB_GENERATE(region_tree, region, node, region_order)

struct region *region_at_or_above(struct region_tree *tree, uint64_t va)
{
	struct region empty = { .start = va, .end = va };

	return RB_NFIND(region_tree, tree, &empty);
}

bool region_free_range(struct region_tree *tree, uint64_t start, uint64_t end)
{
	struct region *r = region_at_or_above(tree, start);

	return !r || r->start >= end;
}

uint64_t region_find_free(struct region_tree *tree, uint64_t from,
			  uint64_t bytes)
{
	uint64_t gap = from - WEIR_PAGE_SIZE; /* the page left free */

	while (bytes <= WEIR_USER_TOP &&
	       gap + WEIR_PAGE_SIZE <= WEIR_USER_TOP - bytes) {
		struct region *r = region_at_or_above(tree, gap);

		if (!r || r->start >= gap + WEIR_PAGE_SIZE + bytes)
			return gap + WEIR_PAGE_SIZE;
		gap = r->end;
	}
	return 0;
}

void region_insert(struct region_tree *tree, struct region *r)
{
	struct region *clash = RB_INSERT(region_tree, tree, r);

	assert(!clash);
}
