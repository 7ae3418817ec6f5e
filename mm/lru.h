/*
 * lru.h - the active and inactive lists.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "mm/frame.h"

enum lru_list { LRU_ACTIVE, LRU_INACTIVE, LRU_NLISTS };

/* Takes up to `max` of the oldest frames off a list: state ISOLATED, each
 * with a reference to its family. Returns how many. No lock held. */
unsigned lru_isolate(enum lru_list list, struct frame **out, unsigned max);

/* A frame that is mapped for the first time, or an isolated one that is given
 * back (drops no reference): youngest end. Caller holds the family's lock. */
void lru_add(struct frame *f, enum lru_list list);

uint64_t lru_length(enum lru_list list);

/* For the audit; under lru_lock. */
extern struct lru_lists {
	struct frame_list frames; /* youngest first */
	uint64_t length;
} lists[LRU_NLISTS];
