/*
 * frame_state.c - the life of a frame: which move follows which, and waiting
 * for one; and what a free one holds.
 *
 * The table here is the one of mm/README.md, where the reasons are. The wait
 * queues are shared by hash.
 */
#include "kernel/param.h"
#include "kernel/sync.h"
#include "mm/frame.h"

#define NQUEUES 64u
#define TO(s) (1u << FRAME_##s)
#define STATE(s, exits) [FRAME_##s] = { #s, exits }

/* To FREE only by frame_free, from FREE only by frame_alloc. */
static const struct {
	const char *name;
	unsigned exits;
} states[FRAME_NSTATES] = {
	STATE(FREE, 0),
	STATE(PINNED, TO(ACTIVE) | TO(INACTIVE) | TO(INBOUND)),
	STATE(INBOUND, TO(INACTIVE) | TO(PINNED)),
	STATE(ACTIVE, TO(INACTIVE) | TO(ISOLATED) | TO(LIMBO) | TO(PINNED)),
	STATE(INACTIVE, TO(ACTIVE) | TO(ISOLATED) | TO(LIMBO) | TO(PINNED)),
	STATE(ISOLATED, TO(LAUNDRY) | TO(ACTIVE) | TO(INACTIVE) |
			TO(LIMBO) | TO(PINNED)),
	STATE(LAUNDRY, TO(ISOLATED)),
	STATE(LIMBO, 0),
};

const char *frame_state_name(enum frame_state state)
{
	return (unsigned)state < FRAME_NSTATES ? states[state].name : "?";
}

void frame_set_state(struct frame *f, enum frame_state state)
{
	unsigned old = f->state;

	if (old >= FRAME_NSTATES || !(states[old].exits >> state & 1))
		panic("frame %lx: illegal move from %s to %s", frame_pa(f),
		      frame_state_name(old), frame_state_name(state));
	f->state = state;
}

void frame_check_freeable(const struct frame *f)
{
	if (f->state == FRAME_FREE)
		panic("frame %lx is freed twice", frame_pa(f));
	if (!f->head)
		panic("frame %lx is not the allocator's, or not the first of "
		      "its block", frame_pa(f));
	if (f->state != FRAME_PINNED && f->state != FRAME_LIMBO &&
	    f->state != FRAME_INBOUND)
		panic("frame %lx is freed in state %s", frame_pa(f),
		      frame_state_name(f->state));
	if (f->mapcount || f->slot)
		panic("frame %lx is freed with %u mappings and slot %u",
		      frame_pa(f), f->mapcount, f->slot);
}

/* ---- poison ---- */

#define PATTERN 0xf4eef4eef4eef4eeull /* nor is it an address */

bool poison_fill(uint64_t *at, size_t n)
{
	bool on = params.check & CHECK_POISON;

	for (size_t i = 0; on && i < n / 8; i++)
		at[i] = PATTERN;
	return on;
}

void poison_check(const uint64_t *at, size_t n)
{
	for (size_t i = 0; i < n / 8; i++)
		if (at[i] != PATTERN)
			panic("P1: frame %lx, offset %lx: %lx was written "
			      "after it was freed",
			      frame_pa(frame_of_kva(at)),
			      (uintptr_t)&at[i] & 0xfff, at[i]);
}

/* ---- waiting ---- */

static struct waitq queues[NQUEUES];

struct waitq *frame_waitq(const struct frame *f)
{
	return &queues[frame_pa(f) / WEIR_PAGE_SIZE % NQUEUES];
}

void frame_wait_init(void)
{
	for (unsigned i = 0; i < NQUEUES; i++)
		waitq_init(&queues[i]);
}
