/*
 * tlb.h - the TLB debt: flushes put off, counted, and paid in time.
 *
 * Unmapping a page records a debt: which CPUs may still hold the old
 * translation, that a flush is due, and whether one of them may be able to
 * write through it. It is paid before IO starts on the page only if
 * `writable`, and always before the page is freed (Linux d950c9477d51).
 *
 * An address space's generation `tlb_pending` counts debts; `tlb_flushed` is
 * the newest generation known to be flushed everywhere. Invariants: I1-I5,
 * I7, I8, I10, I14-I16, I21, I22.
 */
#pragma once


#include "arch/x86_64/paging.h"
#include "mm/planted.h"


#define TLB_BATCH_SPACES 4

/* What one thread owes. Only that thread touches it, so it has no lock. */
struct tlb_batch {
	uint64_t cpus;       /* CPUs that may hold an entry */
	bool flush_required; /* something is owed */
	bool writable;       /* one of the entries may be dirty (I22) */
	unsigned pages;      /* unmapped since the last flush */
	/* The spaces whose generations the next flush retires; with more
	 * than fit, the others' debts stay and cost a flush later. */
	unsigned nspaces;
	struct {
		struct aspace *as; /* a reference is held */
		uint64_t gen;
	} spaces[TLB_BATCH_SPACES];
};

/* The rules of deferring, one row a policy: see DESIGN section 3. */
struct tlb_policy {
	const char *name;
	bool whole_batch; /* unmap all, one fence, then write all */
	bool at_clean, at_dirty; /* flush once such a page is unmapped */
	bool clean_waits; /* unflushed, until the frames are needed */
};
extern const struct tlb_policy tlb_policies[];
extern const struct tlb_policy *tlb_policy; /* the one in force */

void tlb_init(void);

/* Switches to enum weir_policy `policy` for passes that begin from now on;
 * a pass keeps the policy it began with, so no batch ever has two. Who
 * needs the old one to be over calls reclaim_drain. */
void tlb_policy_set(unsigned policy);

/* Records that the PTE `old` of `as`, for the page at `va`, was exchanged for
 * a non-present one. Caller holds as->lock and has just made the exchange
 * (I1, I2). */
void tlb_batch_add(struct tlb_batch *b, struct aspace *as, uint64_t va,
		   pte_t old);

/* As tlb_batch_add for entries that somebody else's unmap removed and has
 * not flushed yet; conservatively writable. Caller holds as->lock. */
void tlb_batch_inherit(struct tlb_batch *b, struct aspace *as);

/* Pays the whole debt: returns when no CPU holds an entry of the batch.
 * Interrupts on, no spinlock held (I21). */
void tlb_batch_flush(struct tlb_batch *b);

/* Fence 1: pays only if an entry may be writable. Context as above. */
void tlb_batch_flush_before_io(struct tlb_batch *b);

/* Fence 2: pays whatever is still owed. Context as above. */
void tlb_batch_flush_before_free(struct tlb_batch *b);

/* Returns when every debt that was recorded on `as` before the call is paid,
 * whoever recorded it: for unmap, protect and exit (I7). Context as above. */
void aspace_flush_pending(struct aspace *as);

/* Not every debt that was recorded on `as` is known to be paid. */
bool aspace_owes(struct aspace *as);

/* The caller changed PTEs of [va, va + npages pages) under as->lock and got
 * `gen` from tlb_debt there: flushes that range, or everything if it has
 * more than params.ranged pages, on the CPUs of `as`. Context as above. */
void tlb_flush_range(struct aspace *as, uint64_t va, uint64_t npages,
		     uint64_t gen);

/* Opens a new generation. Caller holds as->lock, after its PTE writes. */
uint64_t tlb_debt(struct aspace *as);

/* Flushes every CPU that has `as` loaded, idle ones included, and makes
 * those that are not using it leave its page tables (I6). */
void tlb_leave_tables(struct aspace *as);

/* This CPU goes on with a thread of `as`; NULL: a kernel thread, which
 * borrows the tables that are loaded (lazy). Entries that a tag kept are used
 * again only if no debt of `as` was recorded since (I16). Interrupts off. */
void tlb_switch_to(struct aspace *as);

/* The last group of frames that wait for their flush (limbo.c), atomic; and
 * those of `cpus` that may hold entries of group `round`: that have not
 * emptied their TLBs since it was opened, and are not lazy. */
extern uint64_t tlb_round;
uint64_t tlb_behind(uint64_t cpus, uint64_t round);

/* Before every return to user mode: catches up with generations that passed
 * while this CPU was lazy (I16), and with groups that wait. Interrupts off. */
void tlb_catch_up(void);
