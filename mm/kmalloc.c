/*
 * kmalloc.c - kernel heap: power-of-two classes, each cut from frames.
 *
 * Owns the frames marked by MARK in frame->index. A frame of a class has a
 * bitmap of its free pieces (frame->pieces); those with a free piece are on
 * the class's list. One wholly free frame a class is kept, so that what is
 * free does not depend on the order in which pieces come back.
 * Locks: one a class; the frame allocator's under it.
 */
#include "mm/kmalloc.h"

#include "kernel/param.h"
#include "mm/frame.h"

/* Sizes are powers of two: MARK ("kme") is ored with the exponent; it is no
 * page of an object. */
#define MARK 0x6b6d6500u
#define MIN_SHIFT 6 /* so that 64 bits count a frame's pieces */
#define PAGE_SHIFT 12 /* from here on blocks of whole frames */
#define MAX_SHIFT 22
#define NCLASSES (PAGE_SHIFT - MIN_SHIFT)

/* An empty list of frames may be all zero: only heads are inserted. */
static struct class {
	struct spinlock lock;
	struct frame_list partial; /* under lock: frames with free pieces */
	unsigned idle;             /* under lock: of these, wholly free */
} classes[NCLASSES] = {
	[0 ... NCLASSES - 1] = { .lock = SPINLOCK_INIT(kmalloc) }
};

/* A frame without any free piece has the bitmap 0, one with nothing else: */
static uint64_t all_pieces(unsigned shift)
{
	return UINT64_MAX >> (64 - (WEIR_PAGE_SIZE >> shift));
}

static void *small_alloc(unsigned shift)
{
	struct class *c = &classes[shift - MIN_SHIFT];
	char *p = NULL;

	spin_lock(&c->lock);
	struct frame *f = TAILQ_FIRST(&c->partial);
	if (!f && (f = (frame_alloc)(0))) {
		f->index = MARK | shift;
		f->pieces = all_pieces(shift);
		poison_fill(frame_kva(f), WEIR_PAGE_SIZE);
		TAILQ_INSERT_HEAD(&c->partial, f, lru);
		c->idle++;
	}
	if (f) {
		c->idle -= f->pieces == all_pieces(shift);
		p = frame_kva(f);
		p += (uint64_t)__builtin_ctzll(f->pieces) << shift;
		f->pieces &= f->pieces - 1;
		if (!f->pieces)
			TAILQ_REMOVE(&c->partial, f, lru);
	}
	spin_unlock(&c->lock);
	if (p && params.check & CHECK_POISON)
		poison_check((void *)p, 1ul << shift);
	return p;
}

static void *large_alloc(unsigned shift)
{
	struct frame *f = frames_alloc(shift - PAGE_SHIFT);

	if (!f)
		return NULL;
	f->index = MARK | shift;
	return frame_kva(f);
}

void *(kzalloc)(size_t size)
{
	unsigned shift = MIN_SHIFT;

	if (size == 0 || size > KMALLOC_MAX)
		return NULL;
	while (1ul << shift < size)
		shift++;
	void *p = shift < PAGE_SHIFT ? small_alloc(shift) : large_alloc(shift);
	if (p)
		memset(p, 0, 1ul << shift);
	return p;
}

static void small_free(struct frame *f, unsigned shift, void *p)
{
	struct class *c = &classes[shift - MIN_SHIFT];
	uint64_t bit = 1ull << ((uintptr_t)p % WEIR_PAGE_SIZE >> shift);

	spin_lock(&c->lock);
	if (f->pieces & bit)
		panic("kfree: %p is freed twice", p);
	poison_fill(p, 1ul << shift);
	if (!f->pieces)
		TAILQ_INSERT_HEAD(&c->partial, f, lru);
	f->pieces |= bit;
	if (f->pieces == all_pieces(shift) && c->idle++) {
		c->idle--;
		TAILQ_REMOVE(&c->partial, f, lru);
		frame_free(f);
	}
	spin_unlock(&c->lock);
}

void kfree(void *p)
{
	if (!p)
		return;
	struct frame *f = frame_of_kva(p);
	uint64_t shift = f->index ^ MARK;
	if (f->state != FRAME_PINNED || shift < MIN_SHIFT || shift > MAX_SHIFT)
		panic("kfree: %p is not from kzalloc, or freed already", p);
	if ((uintptr_t)p % WEIR_PAGE_SIZE & ((1ul << shift) - 1))
		panic("kfree: %p is inside a %s", p,
		      shift < PAGE_SHIFT ? "piece" : "block");
	if (shift < PAGE_SHIFT)
		small_free(f, shift, p);
	else
		frame_free(f);
}
