/*
 * lru.c - the active and inactive lists.
 *
 * lru_lock guards both lists, the state of the frames on them, and their
 * `family`: a frame leaves its list before its family may go. It is innermost
 * but for the allocator. Isolation takes a reference to the family in the
 * same hold. A pinned frame is on no list.
 */
#include "mm/reclaim.h"

#include "kernel/stat.h"

#define BIMODAL 8 /* one in so many new frames becomes active */

static struct spinlock lru_lock = SPINLOCK_INIT(lru);
struct lru_lists lists[LRU_NLISTS] = {
	{ TAILQ_HEAD_INITIALIZER(lists[0].frames), 0 },
	{ TAILQ_HEAD_INITIALIZER(lists[1].frames), 0 },
};

static bool on_list(struct frame *f)
{
	return f->state == FRAME_ACTIVE || f->state == FRAME_INACTIVE;
}

static void push(struct frame *f, enum lru_list list)
{
	if (f->pinned) {
		if (f->state != FRAME_PINNED) /* a fresh one is */
			frame_set_state(f, FRAME_PINNED);
		return;
	}
	frame_set_state(f, list == LRU_ACTIVE ? FRAME_ACTIVE : FRAME_INACTIVE);
	TAILQ_INSERT_HEAD(&lists[list].frames, f, lru);
	lists[list].length++;
}

static void pull(struct frame *f)
{
	enum lru_list list = f->state == FRAME_ACTIVE ? LRU_ACTIVE :
							LRU_INACTIVE;

	TAILQ_REMOVE(&lists[list].frames, f, lru);
	lists[list].length--;
}

void lru_add(struct frame *f, enum lru_list list)
{
	spin_lock(&lru_lock);
	f->taken_back = false;
	push(f, list);
	spin_unlock(&lru_lock);
}

void lru_add_new(struct frame *f)
{
	static unsigned count; /* a race costs nothing */
	bool active = LRU_FEW_ACTIVE * lru_length(LRU_INACTIVE) >
			      lru_length(LRU_ACTIVE) ||
		      ++count % BIMODAL == 0;

	f->newcomer = !active;
	lru_add(f, active ? LRU_ACTIVE : LRU_INACTIVE);
}

bool lru_remove(struct frame *f)
{
	spin_lock(&lru_lock);
	bool removed = on_list(f) || f->state == FRAME_PINNED;
	if (on_list(f)) {
		pull(f);
		frame_set_state(f, FRAME_LIMBO);
	}
	spin_unlock(&lru_lock);
	return removed;
}

void lru_pin(struct frame *f, bool on)
{
	spin_lock(&lru_lock);
	if (f->pinned && !on && f->state == FRAME_PINNED) {
		f->pinned = false;
		push(f, LRU_ACTIVE);
	}
	f->pinned = on;
	if (on && on_list(f)) {
		pull(f);
		frame_set_state(f, FRAME_PINNED);
	}
	spin_unlock(&lru_lock);
}

unsigned lru_isolate(enum lru_list list, struct frame **out, unsigned max)
{
	struct frame *f, *prev;
	unsigned n = 0;

	spin_lock(&lru_lock);
	for (f = TAILQ_LAST(&lists[list].frames, frame_list);
	     f && n < max; f = prev) {
		prev = TAILQ_PREV(f, frame_list, lru);
		family_get(f->family);
		pull(f);
		frame_set_state(f, FRAME_ISOLATED);
		f->taken_back = false;
		out[n++] = f;
	}
	spin_unlock(&lru_lock);
	stat_add(WEIR_C_pgscan, n);
	return n;
}

bool lru_deactivate(unsigned max)
{
	struct frame *f = NULL;

	spin_lock(&lru_lock);
	while (max-- && (f = TAILQ_LAST(&lists[LRU_ACTIVE].frames,
					frame_list))) {
		pull(f);
		push(f, LRU_INACTIVE);
		stat_add(WEIR_C_pgdeactivate, 1);
	}
	spin_unlock(&lru_lock);
	return f;
}

uint64_t lru_length(enum lru_list list)
{
	return __atomic_load_n(&lists[list].length, __ATOMIC_RELAXED);
}

uint64_t lru_frames(void)
{
	return lru_length(LRU_ACTIVE) + lru_length(LRU_INACTIVE);
}
