/*
 * reclaim.h - taking memory back: who asks, and what one pass does.
 */
#pragma once

#include "mm/aspace.h"
#include "mm/tlb.h"

/* Starts the reclaim thread. After the scheduler. */
void reclaim_init(void);

/* Free memory is below the low watermark: wakes the reclaim thread. Any
 * context, any lock. */
void reclaim_wake(void);

/* One pass on behalf of a thread that found no frame: a frame that it freed,
 * as of frame_alloc, or NULL. `impatient`: the thread has waited long enough
 * for pagers to take their dirty pages. Sleeps; no lock held. */
struct frame *reclaim_direct(bool impatient);

/* Pages are with their pagers, or about to be: memory may yet come. */
bool reclaim_laundering(void);

/* Frames that are free, or that passes may free: the others are pinned. At
 * most a few too many or too few while passes go on. */
uint64_t reclaim_usable(void);

/* Passes until `n` frames were freed or nothing more can be; as many active
 * ones become inactive first. Sleeps. */
uint64_t reclaim_some(uint64_t n);

/* Returns when every pass that was under way at the call has ended, and with
 * it its batch. Sleeps; not within a pass. */
void reclaim_drain(void);

/* Frames per pass, 1..256. */
#define RECLAIM_MAX_BATCH 256
#define RECLAIM_BATCH 64 /* unless set */
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

/* One pass; returns the frames freed, among them *kept, which is not free but
 * the caller's (`kept`: NULL, or where NULL is). Sleeps; not within a pass. */
uint64_t one_pass(enum paged_rule paged, struct frame **kept);

/* There are dirty pages of pagers that must go. Thread context. */
void klaunderd_wake(void);

/* Frees the frame, unless one is wanted (`kept` as above) and there are free
 * ones enough: then it is *kept. */
void reclaim_free(struct frame *f, struct frame **kept);

/* ---- lru.c: the active and inactive lists ---- */

enum lru_list { LRU_ACTIVE, LRU_INACTIVE, LRU_NLISTS };

/* Takes up to `max` of the oldest frames off a list: state ISOLATED, each
 * with a reference to its family. Returns how many. No lock held. */
unsigned lru_isolate(enum lru_list list, struct frame **out, unsigned max);

/* An isolated frame that is given back (drops no reference): youngest end.
 * Caller holds the family's lock. */
void lru_add(struct frame *f, enum lru_list list);

/* A frame that a fault has filled. Once there are active ones enough it starts
 * inactive, and its first access does not count: so what a loop over more than
 * there is memory for uses next is not driven out by what it has just used.
 * It becomes active in the place of one that was evicted because nobody used
 * it any more: so a new working set finds its way in. And one in many does
 * all the same (Qureshi et al., "Adaptive insertion policies for high
 * performance caching", ISCA 2007: bimodal insertion). Context as above. */
void lru_add_new(struct frame *f);

/* The frame is taken from its page. Caller holds the lock of its family. */
void lru_evicted(const struct frame *f);

/* A frame, and its family, to which a reference is held; that of the frame may
 * be another by the time that its lock is held. */
struct lru_look {
	struct frame *frame;
	struct family *family;
};

/* Up to `max` of the youngest inactive frames, as many as are `young`: whose
 * accessed bits are to be cleared. Returns how many. No lock held. */
unsigned lru_young(struct lru_look *out, unsigned max);

/* Takes a frame that nobody names any more off its list; false: reclaim has
 * it. */
bool lru_remove(struct frame *f);
/* Keeps a frame off the lists from now on, or no more. Caller holds the lock
 * of its family. */
void lru_pin(struct frame *f, bool on);

/* The oldest active frame becomes inactive, used or not, if there are too many
 * beside the inactive ones, or if it must. False: none did. */
bool lru_deactivate(bool must);

/* Puts what faults have filled on the lists. No lock held that is inside
 * lru_lock. */
void lru_settle(void);

/* Frames on both lists; what faults have filled since they were settled is
 * not counted: a few for each CPU. */
uint64_t lru_frames(void);

/* For the audit; under lru_lock. */
extern struct lru_lists {
	struct frame_list frames; /* youngest first */
	uint64_t length;
} lists[LRU_NLISTS];

/* ---- rmap.c: from a frame to every PTE that maps it. No chains hang on a
 * frame: it knows its family and page, the family its members, an object its
 * regions, and a region its space. Callers hold the family's lock ---- */

/* Clears the accessed bits of the frame's PTEs, without a flush: at worst a
 * busy page looks idle. True if one was set; *dirty: a PTE or the frame is
 * dirty. */
bool rmap_age(struct frame *f, bool *dirty);

/* Whether a system task has the page among its mappings. */
bool rmap_system(struct frame *f);

/* Exchanges every PTE of the frame for 0 and records the debts in `b`; moves
 * dirty bits to the frame. True if one of the PTEs was dirty. */
bool rmap_unmap(struct frame *f, struct tlb_batch *b);
/* The same for the PTEs of one object that has the page. */
bool rmap_unmap_member(struct frame *f, struct memobj *m,
		       struct tlb_batch *b);
