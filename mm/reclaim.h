/*
 * reclaim.h - taking memory back: who asks, and what one pass does.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct frame;

/* Starts the reclaim thread. After the scheduler. */
void reclaim_init(void);

/* Free memory is below the low watermark: wakes the reclaim thread. Any
 * context, any lock. */
void reclaim_wake(void);

/* One pass on behalf of a thread that found no frame: returns the number of
 * frames freed. `impatient`: it has waited long enough for pagers to take
 * their dirty pages. Sleeps; no lock held. */
uint64_t reclaim_direct(bool impatient);

/* Pages are with their pagers, or about to be: memory may yet come. */
bool reclaim_laundering(void);

/* Passes until `n` frames were freed or nothing more can be. Sleeps. */
uint64_t reclaim_some(uint64_t n);

/* Returns when every pass that was under way at the call has ended, and with
 * it its batch. Sleeps; not within a pass. */
void reclaim_drain(void);

/* Frames per pass, 1..256. */
#define RECLAIM_MAX_BATCH 256
void reclaim_set_batch(unsigned n);
unsigned reclaim_batch(void);

/* ---- between reclaim.c and kreclaimd.c ---- */

void passes_init(void);

/* What a pass does with dirty pages that a pager keeps. */
enum paged_rule {
	PAGED_LEAVE, /* klaunderd is told of them */
	PAGED_GIVE,  /* gives them to the pager, and waits for it: klaunderd */
	PAGED_SWAP,  /* writes them to swap instead */
};

/* One pass; returns the frames freed. Sleeps; not within a pass. */
uint64_t one_pass(enum paged_rule paged);

/* There are dirty pages of pagers that must go. Thread context. */
void klaunderd_wake(void);

/* ---- lru.c ---- */

/* Takes a frame that nobody names any more off its list; false: reclaim has
 * it. */
bool lru_remove(struct frame *f);
/* Keeps a frame off the lists from now on, or no more. Caller holds the lock
 * of its family. */
void lru_pin(struct frame *f, bool on);
/* Frames on both lists. */
uint64_t lru_frames(void);
