/*
 * reclaim.c - taking memory back, one batch at a time.
 *
 *   isolate -> unmap, record debt -> [fence 1] -> write -> done
 *           -> [fence 2] -> free, or give back
 *
 * A pass owns the frames that it isolated: nobody else writes, frees or
 * unmaps them; a fault may map them again (taken_back), and the pass looks
 * for that under family->lock before IO and before freeing (I9, I18). Even a
 * frame that is given back stays with the pass until fence 2 is behind it,
 * for its object might die and free it (I5); if that is dead already, the
 * pass frees it. A pass allocates nothing, sends no message and takes no
 * fault (P5): its memory is set aside at boot, and who finds no pass free
 * waits for one.
 */
#include "mm/reclaim.h"

#include "kernel/stat.h"
#include "kernel/thread.h"
#include "mm/kmalloc.h"
#include "mm/limbo.h"
#include "mm/pager.h"
#include "mm/point.h"
#include "mm/swap.h"

enum fate {
	FATE_FREE,   /* clean and unmapped: free it after fence 2 */
	FATE_WRITE,  /* dirty: write it after fence 1, then free it */
	FATE_KEEP,   /* in use, or nowhere to put it: back to the lists */
	FATE_LEFT,   /* for klaunderd: stays inactive, where it looks */
};

struct pass {
	uint64_t turn; /* under passes_lock; odd: under way */
	const struct tlb_policy *policy;
	struct tlb_batch *batch; /* the running thread's */
	enum paged_rule paged; /* what happens to dirty pages of pagers */
	bool left_alone;       /* it met some, and left them alone */
	unsigned n, left; /* items; those that are not released */
	struct item {
		struct frame *frame;
		struct family *family; /* of a frame that may be freed */
		enum fate fate;
		bool unmapped; /* by the pass, which owes for it */
		struct pageio io;
		struct pass *pass;
	} items[RECLAIM_MAX_BATCH];

	unsigned in_flight; /* atomic: IOs that are not done */
	struct spinlock lock; /* who waits for them checks under it */
	struct waitq done;
};

#define NPASSES 16
#define LOCKED_RUN 16 /* frames */
static struct spinlock passes_lock = SPINLOCK_INIT(passes);
static struct pass *passes[NPASSES];
static struct waitq passes_wait = WAITQ_INIT(passes_wait); /* for an end */

static unsigned batch_size = RECLAIM_BATCH;
static uint64_t isolated; /* atomic: frames that passes have */

void reclaim_set_batch(unsigned n)
{
	assert(n >= 1 && n <= RECLAIM_MAX_BATCH);
	__atomic_store_n(&batch_size, n, __ATOMIC_RELAXED);
}

unsigned reclaim_batch(void)
{
	return __atomic_load_n(&batch_size, __ATOMIC_RELAXED);
}

/* Goes over from the lock of the family `held` to that of `want`, either of
 * which may be NULL; returns `want`. For frames one after the other, which
 * are often of one family; `i` counts them, so that others get the lock. */
static struct family *relock(struct family *held, struct family *want,
			     unsigned i)
{
	if (held == want && i % LOCKED_RUN)
		return want;
	if (held)
		spin_unlock(&held->lock);
	if (want)
		spin_lock(&want->lock);
	return want;
}

/* ---- one frame ------------------------------------------------------- */

/* Is there a place for the frame's bytes: its pager, or a slot, which is
 * claimed here? A pager that is late or dead gets nothing more. Holds
 * family->lock. */
static bool pass_has_place(struct pass *p, struct item *it)
{
	struct frame *f = it->frame;
	struct pager *pager = f->family->pager;

	if (!f->slot && pager && pager_takes_writes(pager) &&
	    p->paged != PAGED_SWAP) {
		if (p->paged == PAGED_GIVE)
			return true;
		it->fate = FATE_LEFT;
		p->left_alone = true;
		return false;
	}
	return f->slot || (f->slot = swap_slot_alloc(
				   swap_attached() && rmap_system(f)));
}

/* [page-out 2/7] Unmaps the frame, unless it was used lately or its bytes
 * have no place to go: then it is not torn out of the page tables for
 * nothing. (It may have become dirty since, and all places be taken.) True:
 * the policy wants a flush now. Holds family->lock. */
static bool pass_unmap(struct pass *p, struct item *it)
{
	struct frame *f = it->frame;
	/* LAB reclaim begin: the fate of a frame: used lately, or nowhere to
	 * put it: keep it; else unmap it, and free or write it */
	bool dirty, accessed, pte_dirty = false;

	it->fate = FATE_KEEP;
	if (f->slot && !swap_slot_takes_writes(f->slot))
		frame_drop_slot(f); /* nor is it sure to be read again */
	accessed = rmap_age(f, &dirty) && !f->young;
	if (!accessed && (!dirty || pass_has_place(p, it))) {
		it->unmapped = true;
		pte_dirty = rmap_unmap(f, p->batch);
		if (f->mapcount)
			it->fate = FATE_KEEP; /* being copied */
		else if (!f->dirty)
			it->fate = FATE_FREE;
		else if (pass_has_place(p, it))
			it->fate = FATE_WRITE;
	}
	if (PLANTED(Z4) && it == &p->items[p->n / 2])
		*p->batch = (struct tlb_batch){ 0 }; /* a nested pass begins */
	return pte_dirty ? p->policy->at_dirty : p->policy->at_clean;
	/* LAB reclaim stub
	 * (void)f;
	 * (void)pass_has_place;
	 * it->fate = FATE_KEEP;
	 * return false;
	 */
	/* LAB reclaim end */
}

static void pass_unmap_run(struct pass *p, unsigned from, unsigned to)
{
	struct family *held = NULL;

	for (unsigned i = from; i < to; i++) {
		held = relock(held, p->items[i].frame->family, i);
		if (pass_unmap(p, &p->items[i])) {
			held = relock(held, NULL, 0);
			tlb_batch_flush(p->batch);
		}
	}
	relock(held, NULL, 0);
}

/* [page-out 5/7] In the swap device's thread: the bytes are in the slot, or
 * they are not. Writers that waited for the frame go on. */
static void pass_io_done(struct pageio *io)
{
	struct item *it = io->arg;
	struct pass *p = it->pass;
	struct frame *f = it->frame;

	spin_lock(&f->family->lock);
	assert(f->state == FRAME_LAUNDRY);
	frame_set_state(f, FRAME_ISOLATED);
	if (io->status) {
		f->dirty = true;
		it->fate = FATE_KEEP;
	}
	spin_unlock(&f->family->lock);
	waitq_wake_all(frame_waitq(f));
	if (__atomic_sub_fetch(&p->in_flight, 1, __ATOMIC_SEQ_CST))
		return;
	spin_lock(&p->lock);
	waitq_wake_all(&p->done);
	spin_unlock(&p->lock);
}

/* Nobody may write to the frame from here on, if nobody took it back. Holds
 * family->lock. */
static void pass_close(struct item *it)
{
	struct frame *f = it->frame;

	/* LAB reclaim begin: a frame that was taken back stays; any other is
	 * clean from here on, and on its way out */
	if (f->taken_back) {
		it->fate = FATE_KEEP;
	} else {
		frame_set_state(f, FRAME_LAUNDRY);
		f->dirty = false;
		if (PLANTED(Z28) && f->slot)
			family_replace(f->family, f->index,
				       (memobj_entry_t)f,
				       entry_of_slot(f->slot));
	}
	/* LAB reclaim stub
	 * (void)f;
	 * it->fate = FATE_KEEP;
	 */
	/* LAB reclaim end */
}

static void pass_submit(struct pass *p, struct item *it)
{
	struct frame *f = it->frame;

	if (!PLANTED(Z1))
		assert(!p->batch->writable); /* P2, I4 */
	__atomic_add_fetch(&p->in_flight, 1, __ATOMIC_SEQ_CST);
	it->io = (struct pageio){ .frame = f, .slot = f->slot, .write = true,
				  .pager = f->slot ? NULL : f->family->pager,
				  .page = f->index, .done = pass_io_done,
				  .arg = it };
	point(WEIR_POINT_io);
	pageio_submit(&it->io);
}

/* [page-out 4/7] Starts the writes. */
static void pass_launder(struct pass *p, unsigned from, unsigned to)
{
	struct family *held = NULL;

	for (unsigned i = from; i < to; i++) {
		if (p->items[i].fate != FATE_WRITE)
			continue;
		held = relock(held, p->items[i].frame->family, i);
		pass_close(&p->items[i]);
	}
	relock(held, NULL, 0);
	for (unsigned i = from; i < to; i++)
		if (p->items[i].fate == FATE_WRITE)
			pass_submit(p, &p->items[i]);
	ramdisk_kick();
}

void reclaim_free(struct frame *f, struct frame **kept)
{
	/* Below that only the system's are free to take: they come first. */
	if (kept && !*kept && nr_free() >= watermarks.min / 2)
		*kept = frame_reuse(f);
	else
		frame_free(f);
}

/* [page-out 7/7] Gives the frame back, or, if it is still clean and untouched,
 * takes it from its objects, whose entries name the slot from here on (commit
 * point). If no object has the page any more (an orphan), the slot goes, too.
 * True: free it. `list`: the one for it; none: not now. Holds family->lock. */
static bool pass_release(struct frame *f, bool keep, enum lru_list list)
{
	/* LAB reclaim begin: is it still clean and untouched? Then its
	 * objects name the slot */
	bool orphan = !f->mapcount && !PLANTED(Z28) &&
		      !family_next(f->family, NULL, f->index,
				   (memobj_entry_t)f);

	if (!orphan && (keep || f->taken_back || f->dirty || f->mapcount)) {
		if (list != LRU_NLISTS)
			lru_add(f, list);
		return false;
	}
	assert(orphan || !f->pinned); /* I18: who pins takes it back */
	if (orphan && f->slot)
		swap_slot_free(f->slot);
	family_replace(f->family, f->index, (memobj_entry_t)f,
		       f->slot ? entry_of_slot(f->slot) : 0);
	lru_evicted(f);
	f->slot = 0;
	f->family = NULL;
	frame_set_state(f, FRAME_LIMBO);
	return true;
	/* LAB reclaim stub
	 * if (list != LRU_NLISTS)
	 * 	lru_add(f, list);
	 * return false;
	 */
	/* LAB reclaim end */
}

/* ---- one pass -------------------------------------------------------- */

/* Keeps the inactive list at a fifth of all, at least, and makes the accessed
 * bits of its young frames tell what happens from now on. */
static void pass_age(void)
{
	/* LAB reclaim begin: the hand of the clock: while there are too few
	 * inactive frames, active ones become inactive; young ones lose
	 * their accessed bit */
	struct lru_look looks[RECLAIM_MAX_BATCH / 2];
	struct family *held = NULL;
	unsigned n = 0;
	bool dirty;

	while (n < RECLAIM_MAX_BATCH && lru_deactivate(false))
		n++;
	n = lru_young(looks, RECLAIM_MAX_BATCH / 2);

	for (unsigned i = 0; i < n; i++) {
		struct frame *f = looks[i].frame;

		held = relock(held, looks[i].family, i);
		if (f->family == held) {
			rmap_age(f, &dirty);
			f->young = false;
		}
	}
	relock(held, NULL, 0);
	for (unsigned i = 0; i < n; i++)
		family_put(looks[i].family);
	/* LAB reclaim end */
}

/* [page-out 1/7] Takes a batch of the oldest inactive frames. */
static void pass_isolate(struct pass *p)
{
	struct frame *frames[RECLAIM_MAX_BATCH];

	p->n = p->left = lru_isolate(LRU_INACTIVE, frames, reclaim_batch());
	__atomic_add_fetch(&isolated, p->n, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < p->n; i++)
		p->items[i] = (struct item){ .frame = frames[i], .pass = p };
}

/* [page-out 3/7] Fence 1: before the IO of items [from, to). */
static void pass_fence_io(struct pass *p, unsigned from, unsigned to)
{
	if (PLANTED(Z10) && p->paged == PAGED_GIVE)
		return;
	for (unsigned i = from; i < to; i++)
		if (p->items[i].fate == FATE_WRITE) {
			tlb_batch_flush_before_io(p->batch);
			return;
		}
}

/* Fails the requests that pagers did not answer in time; returns when the
 * next of the pass's is late, 0: none is out. */
static uint64_t pass_cancel_late(struct pass *p)
{
	uint64_t now = time_ns(), due = 0;

	for (unsigned i = 0; i < p->n; i++) {
		struct pageio *io = &p->items[i].io;

		if (!io->cookie)
			continue;
		if (io->due_ns > now) {
			due = due && due < io->due_ns ? due : io->due_ns;
		} else if (pager_cancel(io)) {
			io->status = -WEIR_EIO;
			pass_io_done(io);
		}
	}
	return due;
}

static void pass_wait_io(struct pass *p)
{
	for (;;) {
		uint64_t due = pass_cancel_late(p);

		spin_lock(&p->lock);
		if (__atomic_load_n(&p->in_flight, __ATOMIC_SEQ_CST) == 0)
			break;
		waitq_sleep_until(&p->done, &p->lock, due);
	}
	spin_unlock(&p->lock);
}

/* Whether frames that the pass unmapped may wait for their flush: nobody may
 * write to them, and what a pager keeps it may change. */
static bool pass_may_wait(struct pass *p)
{
	bool may = p->policy->clean_waits && p->batch->flush_required &&
		   !p->batch->writable && !PLANTED(Z2);

	for (unsigned i = 0; may && i < p->n; i++)
		may = !p->items[i].frame->family->pager;
	return may;
}

/* Releases the items, or if `lazy`, before fence 2: those that were not
 * unmapped, and those that can be freed, which wait for it. Returns how many
 * are freed. */
static uint64_t pass_release_all(struct pass *p, bool lazy,
				 struct frame **kept)
{
	struct family *held = NULL;
	uint64_t freed = 0;

	for (unsigned i = 0; i < p->n; i++) {
		struct item *it = &p->items[i];
		struct frame *f = it->frame;
		bool waits = lazy && it->unmapped;
		enum lru_list list = waits ? LRU_NLISTS :
				     it->fate == FATE_LEFT ? LRU_INACTIVE :
							     LRU_ACTIVE;

		if (!f)
			continue;
		it->family = f->family;
		held = relock(held, it->family, i);
		if (pass_release(f, it->fate >= FATE_KEEP, list)) {
			freed++;
			if (waits)
				limbo_add(f, it->family);
			else
				reclaim_free(f, kept);
		} else if (waits) {
			it->family = NULL;
			continue;
		} else {
			stat_add(WEIR_C_pgactivate, list == LRU_ACTIVE);
		}
		it->frame = NULL;
		p->left--;
	}
	relock(held, NULL, 0);
	for (unsigned i = 0; i < p->n; i++)
		if (p->items[i].family) {
			family_put(p->items[i].family);
			p->items[i].family = NULL;
		}
	return freed;
}

/* The whole way of a batch; returns the number of frames freed. */
static uint64_t reclaim_pass(struct pass *p, enum paged_rule paged,
			     struct frame **kept)
{
	uint64_t freed = 0;

	p->paged = paged;
	p->left_alone = false;
	p->policy = __atomic_load_n(&tlb_policy, __ATOMIC_ACQUIRE);
	p->batch = &current()->batch;
	assert(!p->batch->flush_required); /* I10: never nested */
	lru_settle();
	pass_age();
	pass_isolate(p);
	unsigned run = p->policy->whole_batch ? p->n : 1;

	for (unsigned i = 0; i < p->n; i += run) {
		pass_unmap_run(p, i, i + run);
		pass_fence_io(p, i, i + run);
		pass_launder(p, i, i + run);
	}
	pass_wait_io(p);
	if (PLANTED(Z2))
		freed = pass_release_all(p, false, kept);
	if (pass_may_wait(p)) {
		limbo_open();
		freed = pass_release_all(p, true, NULL);
		limbo_close(p->batch);
		limbo_reap(kept || p->left, kept);
	} else {
		/* [page-out 6/7] Fence 2. */
		tlb_batch_flush_before_free(p->batch);
	}
	point(WEIR_POINT_free);
	freed += pass_release_all(p, false, kept);
	__atomic_sub_fetch(&isolated, p->n, __ATOMIC_RELAXED);
	stat_add(WEIR_C_pgsteal, freed);
	return freed;
}

/* ---- who reclaims ---------------------------------------------------- */

/* Begins a turn of one that is free. */
static struct pass *pass_get(void)
{
	for (;;) {
		spin_lock(&passes_lock);
		for (unsigned i = 0; i < NPASSES; i++)
			if (passes[i]->turn % 2 == 0) {
				passes[i]->turn++;
				spin_unlock(&passes_lock);
				return passes[i];
			}
		waitq_sleep(&passes_wait, &passes_lock);
	}
}

static void pass_put(struct pass *p)
{
	spin_lock(&passes_lock);
	p->turn++;
	waitq_wake_all(&passes_wait);
	spin_unlock(&passes_lock);
}

/* Waits for the turns that are under way, one after the other; others may
 * start meanwhile, for one that is waited for may wait for a pager, which may
 * need a pass to find a frame (P5). */
void reclaim_drain(void)
{
	for (unsigned i = 0; i < NPASSES; i++) {
		spin_lock(&passes_lock);
		for (uint64_t turn = passes[i]->turn;
		     turn % 2 && passes[i]->turn == turn;) {
			waitq_sleep(&passes_wait, &passes_lock);
			spin_lock(&passes_lock);
		}
		spin_unlock(&passes_lock);
	}
	limbo_reap(true, NULL);
}

uint64_t reclaim_usable(void)
{
	return nr_free() + lru_frames() + limbo_frames() +
	       __atomic_load_n(&isolated, __ATOMIC_RELAXED);
}

uint64_t one_pass(enum paged_rule paged, struct frame **kept)
{
	struct pass *p = pass_get();
	uint64_t freed = reclaim_pass(p, paged, kept);

	if (p->left_alone)
		klaunderd_wake();
	pass_put(p);
	return freed;
}

void passes_init(void)
{
	for (unsigned i = 0; i < NPASSES; i++) {
		struct pass *p = (kzalloc)(sizeof(*p));

		if (!p)
			panic("no memory for reclaim passes");
		spin_init(&p->lock, RANK_pass);
		waitq_init(&p->done);
		passes[i] = p;
	}
}
