/*
 * region.h - the ordered, non-overlapping set of an address space's regions.
 * Pure data structure: no locks of its own, also compiled by host tests.
 */
#pragma once

#include "mm/aspace.h"

/* The region that contains `va`, or the first one above it; NULL: none. */
struct region *region_at_or_above(struct region_tree *tree, uint64_t va);

/* Whether [start, end) touches no region. */
bool region_free_range(struct region_tree *tree, uint64_t start, uint64_t end);

/* The lowest free place of `bytes` at or above `from`, below WEIR_USER_TOP,
 * with an unmapped page before it; 0: none. */
uint64_t region_find_free(struct region_tree *tree, uint64_t from,
			  uint64_t bytes);

void region_insert(struct region_tree *tree, struct region *r);
void region_remove(struct region_tree *tree, struct region *r);
struct region *region_next(struct region_tree *tree, struct region *r);
