/*
 * kmalloc.c - kernel heap: power-of-two classes, each cut from frames.
 *
 * Owns the frames marked by MARK in frame->index. A frame of a class keeps
 * its free pieces in a list through the pieces themselves (frame->pieces)
 * and counts those handed out in frame->mapcount; frames with a free piece
 * are on the class's list. One wholly free frame a class is kept.
 * Locks: one a class; no other lock is taken under it.
 */
#include "mm/kmalloc.h"

#include "arch/x86_64/panic.h"
#include "arch/x86_64/spin.h"
#include "arch/x86_64/string.h"
#include "kernel/abi/weir.h"
#include "mm/frame.h"

#define MARK 0x6b6d656d00ull /* "kmem", then the class */
#define CLASS_LARGE 0xffull  /* a whole block of frames */
#define MIN_SHIFT 5
#define NCLASSES 7 /* 32 bytes to 2 KiB */

/* What a free piece holds. `check` finds most double frees in one look;
 * the walk of the list then makes sure. */
struct piece {
	struct piece *next;
	uintptr_t check; /* ~ own address */
};

struct class {
	struct spinlock lock;
	bool ready;               /* under lock: list is initialised */
	struct frame_list partial; /* under lock: frames with free pieces */
	unsigned idle;            /* under lock: of these, wholly free */
};
#define CLASS { .lock = SPINLOCK_INIT("kmalloc") }
static struct class classes[NCLASSES] = { CLASS, CLASS, CLASS, CLASS,
					  CLASS, CLASS, CLASS };

static size_t class_bytes(unsigned class)
{
	return 1ul << (class + MIN_SHIFT);
}

static unsigned pieces_per_frame(unsigned class)
{
	return WEIR_PAGE_SIZE / class_bytes(class);
}

static void piece_put(struct frame *f, void *p)
{
	struct piece *piece = p;

	piece->next = f->pieces;
	piece->check = ~(uintptr_t)piece;
	f->pieces = piece;
}

/* A frame cut into pieces; NULL when out of memory. */
static struct frame *cut(unsigned class)
{
	struct frame *f = frame_alloc(0);

	if (!f)
		return NULL;
	f->index = MARK | class;
	f->pieces = NULL;
	for (unsigned i = pieces_per_frame(class); i-- > 0;)
		piece_put(f, (char *)frame_kva(f) + i * class_bytes(class));
	return f;
}

/* Takes a piece from the class's list; NULL: the list is empty. `fresh`, if
 * any, joins the list first. */
static void *piece_take(struct class *c, struct frame *fresh)
{
	struct piece *p = NULL;
	struct frame *f;

	spin_lock(&c->lock);
	if (!c->ready) {
		TAILQ_INIT(&c->partial);
		c->ready = true;
	}
	if (fresh) {
		TAILQ_INSERT_TAIL(&c->partial, fresh, lru);
		c->idle++;
	}
	f = TAILQ_FIRST(&c->partial);
	if (f) {
		p = f->pieces;
		f->pieces = p->next;
		if (f->mapcount++ == 0)
			c->idle--;
		if (!f->pieces)
			TAILQ_REMOVE(&c->partial, f, lru);
	}
	spin_unlock(&c->lock);
	return p;
}

static void *small_alloc(size_t size)
{
	unsigned class = 0;
	void *p;

	while (class_bytes(class) < size)
		class++;
	p = piece_take(&classes[class], NULL);
	if (!p) {
		struct frame *fresh = cut(class);

		if (!fresh)
			return NULL;
		p = piece_take(&classes[class], fresh);
	}
	memset(p, 0, class_bytes(class));
	return p;
}

static void *large_alloc(size_t size)
{
	unsigned order = 0;
	struct frame *f;

	while (WEIR_PAGE_SIZE << order < size)
		order++;
	f = frames_alloc(order);
	if (!f)
		return NULL;
	f->index = MARK | CLASS_LARGE;
	memset(frame_kva(f), 0, WEIR_PAGE_SIZE << order);
	return frame_kva(f);
}

void *kzalloc(size_t size)
{
	if (size == 0 || size > KMALLOC_MAX)
		return NULL;
	return size <= class_bytes(NCLASSES - 1) ? small_alloc(size) :
						   large_alloc(size);
}

/* Panics if `p` is free already. Holds the class's lock. */
static void check_in_use(struct frame *f, struct piece *p)
{
	if (f->mapcount == 0)
		panic("kfree: %p is freed twice", p);
	if (p->check != ~(uintptr_t)p)
		return;
	for (struct piece *q = f->pieces; q; q = q->next)
		if (q == p)
			panic("kfree: %p is freed twice", p);
}

static void small_free(struct frame *f, unsigned class, void *p)
{
	struct class *c = &classes[class];
	bool spare = false;

	if ((uintptr_t)p & (class_bytes(class) - 1))
		panic("kfree: %p is inside a piece", p);
	spin_lock(&c->lock);
	check_in_use(f, p);
	if (!f->pieces)
		TAILQ_INSERT_HEAD(&c->partial, f, lru);
	piece_put(f, p);
	if (--f->mapcount == 0 && c->idle++ > 0) {
		TAILQ_REMOVE(&c->partial, f, lru);
		c->idle--;
		spare = true;
	}
	spin_unlock(&c->lock);
	if (!spare)
		return;
	f->index = 0;
	f->pieces = NULL;
	frame_free(f);
}

void kfree(void *p)
{
	struct frame *f;
	uint64_t class;

	if (!p)
		return;
	f = frame_of_kva((void *)((uintptr_t)p & -WEIR_PAGE_SIZE));
	class = f->index ^ MARK;
	if (f->state != FRAME_PINNED ||
	    (class >= NCLASSES && class != CLASS_LARGE))
		panic("kfree: %p is not from kzalloc, or freed already", p);
	if (class != CLASS_LARGE) {
		small_free(f, class, p);
		return;
	}
	if ((uintptr_t)p & (WEIR_PAGE_SIZE - 1))
		panic("kfree: %p is inside a block", p);
	f->index = 0;
	frame_free(f);
}
