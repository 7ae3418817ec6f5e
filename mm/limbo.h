/*
 * limbo.h - policy lazy: clean frames that wait for their flush.
 */
#pragma once

#include "mm/reclaim.h"

/* Number of the last group of which no CPU holds an entry any more. */
extern uint64_t limbo_flushed;

/* Some CPU may still read an old frame of a page of the family. Caller holds
 * its lock. */
static inline bool limbo_owes(const struct family *fam)
{
	return !PLANTED(L2) &&
	       fam->limbo > __atomic_load_n(&limbo_flushed, __ATOMIC_SEQ_CST);
}

/* Opens a group, after its frames were unmapped: others wait until it is
 * closed. Sleeps. */
void limbo_open(void);

/* The frame, in state LIMBO, was of that family, whose lock the caller holds;
 * it waits in the open group. */
void limbo_add(struct frame *f, struct family *fam);

/* Closes the group, which takes over what `b` owes. */
void limbo_close(struct tlb_batch *b);

/* Frees the frames that need no flush any more; with `all` the others, too,
 * after their flush. One may be kept, as in reclaim_free. Sleeps; no lock
 * held (I21). */
void limbo_reap(bool all, struct frame **kept);

/* Frames that wait. */
uint64_t limbo_frames(void);
