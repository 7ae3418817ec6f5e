/*
 * lru.c - the active and inactive lists.
 *
 * lru_lock guards both lists, the state of the frames on them, and their
 * `family`: a frame leaves its list before its family may go. It is innermost
 * but for the allocator and a CPU's arrivals: frames that faults have filled
 * wait there, so that faults do not meet at lru_lock, until there is a batch of
 * them or a pass wants them all. Isolation takes a reference to the family in
 * the same hold. A pinned frame is on no list.
 */
#include "mm/reclaim.h"

#include "kernel/stat.h"

#define FEW_ACTIVE 3  /* for each inactive one: new ones become active */
#define MANY_ACTIVE 4 /* the oldest become inactive */
#define BIMODAL 64    /* else one in so many new frames becomes active */
#define ARRIVALS 16

static struct spinlock lru_lock = SPINLOCK_INIT(lru);
struct lru_lists lists[LRU_NLISTS] = {
	{ TAILQ_HEAD_INITIALIZER(lists[0].frames), 0 },
	{ TAILQ_HEAD_INITIALIZER(lists[1].frames), 0 },
};

/* INACTIVE, on no list yet; frame.arrival is the CPU's number + 1. */
static struct arrivals {
	struct spinlock lock; /* inside lru_lock */
	unsigned n;           /* read without it, too */
	struct frame *frames[ARRIVALS]; /* oldest first */
} __attribute__((aligned(64))) arrivals[MAX_CPUS] = {
	[0 ... MAX_CPUS - 1] = { SPINLOCK_INIT(arrivals), 0, { NULL } },
};

/* Places on the active list that nobody used, in eighths; of each only seven
 * are given away, so that a loop over too much does not keep itself going.
 * Atomic. */
#define PLACE 8u
#define GIVEN 7u
static unsigned vacant;

static inline void insert(struct frame *f, enum lru_list list)
{
	if (list == LRU_ACTIVE)
		f->young = f->aged = false;
	TAILQ_INSERT_HEAD(&lists[list].frames, f, lru);
	lists[list].length++;
}

static void push(struct frame *f, enum lru_list list)
{
	if (f->pinned) {
		if (f->state != FRAME_PINNED) /* a fresh one is */
			frame_set_state(f, FRAME_PINNED);
		return;
	}
	frame_set_state(f, list == LRU_ACTIVE ? FRAME_ACTIVE : FRAME_INACTIVE);
	insert(f, list);
}

/* The list on which a new frame begins. */
static enum lru_list first_list(void)
{
	static unsigned count;

	if (vacant >= PLACE) {
		__atomic_sub_fetch(&vacant, PLACE, __ATOMIC_RELAXED);
		return LRU_ACTIVE;
	}
	bool few = FEW_ACTIVE * lists[LRU_INACTIVE].length >
		   lists[LRU_ACTIVE].length;

	return few || ++count % BIMODAL == 0 ? LRU_ACTIVE : LRU_INACTIVE;
}

static void settle(struct arrivals *a)
{
	spin_lock(&a->lock);
	for (unsigned i = 0; i < a->n; i++) {
		struct frame *f = a->frames[i];
		enum lru_list list = first_list();

		f->arrival = 0;
		if (list == LRU_ACTIVE)
			frame_set_state(f, FRAME_ACTIVE);
		insert(f, list);
	}
	a->n = 0;
	spin_unlock(&a->lock);
}

/* On one of them from here on, if it is one of their frames. */
static bool on_list(struct frame *f)
{
	if (f->arrival)
		settle(&arrivals[f->arrival - 1]);
	return f->state == FRAME_ACTIVE || f->state == FRAME_INACTIVE;
}

static void pull(struct frame *f)
{
	enum lru_list list = f->state == FRAME_ACTIVE ? LRU_ACTIVE :
							LRU_INACTIVE;

	TAILQ_REMOVE(&lists[list].frames, f, lru);
	lists[list].length--;
}

void lru_settle(void)
{
	spin_lock(&lru_lock);
	for (unsigned i = 0; i < cpu_count(); i++)
		if (__atomic_load_n(&arrivals[i].n, __ATOMIC_RELAXED))
			settle(&arrivals[i]);
	spin_unlock(&lru_lock);
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
	struct arrivals *a = &arrivals[cpu_id()];

	assert(!f->pinned);
	f->taken_back = f->aged = false;
	f->young = true;
	spin_lock(&a->lock);
	frame_set_state(f, FRAME_INACTIVE);
	f->arrival = 1 + (a - arrivals);
	a->frames[a->n++] = f;
	bool full = a->n == ARRIVALS;
	spin_unlock(&a->lock);
	if (full)
		lru_settle();
}

void lru_evicted(const struct frame *f)
{
	if (f->aged)
		__atomic_add_fetch(&vacant, GIVEN, __ATOMIC_RELAXED);
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

unsigned lru_young(struct lru_look *out, unsigned max)
{
	struct frame *f;
	unsigned n = 0;

	spin_lock(&lru_lock);
	for (f = TAILQ_FIRST(&lists[LRU_INACTIVE].frames);
	     f && f->young && n < max; f = TAILQ_NEXT(f, lru)) {
		family_get(f->family);
		out[n++] = (struct lru_look){ f, f->family };
	}
	spin_unlock(&lru_lock);
	return n;
}

bool lru_deactivate(bool must)
{
	struct frame *f = NULL;

	spin_lock(&lru_lock);
	if (must || MANY_ACTIVE * lists[LRU_INACTIVE].length <
			    lists[LRU_ACTIVE].length)
		f = TAILQ_LAST(&lists[LRU_ACTIVE].frames, frame_list);
	if (f) {
		pull(f);
		f->young = f->aged = true;
		push(f, LRU_INACTIVE);
	}
	spin_unlock(&lru_lock);
	stat_add(WEIR_C_pgdeactivate, f != NULL);
	return f;
}

uint64_t lru_frames(void)
{
	return __atomic_load_n(&lists[LRU_ACTIVE].length, __ATOMIC_RELAXED) +
	       __atomic_load_n(&lists[LRU_INACTIVE].length, __ATOMIC_RELAXED);
}
