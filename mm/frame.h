/*
 * frame.h - physical page frames: who owns each one, and the free ones.
 *
 * Every frame of usable memory has a struct frame. Free frames are kept by a
 * buddy allocator with small per-CPU caches in front. Three watermarks say
 * when reclaim must work: below low it is woken, up to high it works, below
 * min only FRAME_RESERVE may allocate, and who has reclaimed the frame. The
 * state of a frame says who owns it; frame_set_state knows the legal moves and
 * panics on any other.
 * Invariants: I5 (a frame is freed with no mapping and no debt).
 */
#pragma once

#include <bsd/sys/queue.h>

#include "arch/x86_64/paging.h"
#include "arch/x86_64/spin.h"
#include "mm/inject.h"

#define PAGES_PER_MIB 256u

struct bootinfo;

enum frame_state {
	FRAME_FREE,     /* the allocator's */
	FRAME_PINNED,   /* allocated; never isolated (the kernel's use) */
	FRAME_INBOUND,  /* being read from its slot; in its object's entry */
	FRAME_ACTIVE,   /* on the active list */
	FRAME_INACTIVE, /* on the inactive list */
	FRAME_ISOLATED, /* taken off by a reclaim pass */
	FRAME_LAUNDRY,  /* being written to its slot */
	FRAME_LIMBO,    /* unmapped and clean, its flush not yet done */
	FRAME_NSTATES
};

/* The largest block of frames_alloc is 2^FRAME_MAX_ORDER frames. */
#define FRAME_MAX_ORDER 10

struct frame {
	uint8_t state; /* enum frame_state; see frame_set_state */
	uint8_t order; /* of the block that this frame is the first of */
	bool head;     /* first frame of a free or allocated block */
	bool listed;   /* first frame of a block on a buddy list */

	/* Under family->lock, while family is set. */
	bool dirty;      /* memory is newer than the slot (or there is none) */
	bool taken_back; /* a fault used it while a pass had it */
	bool young; /* inactive, and its accessed bits were set before that */
	bool aged;  /* it was active, and has not been used since */
	bool pinned;     /* stays in memory; under lru_lock, too */
	bool copied;     /* by a fault, which has a flush to wait for */
	uint8_t arrival; /* lru.c; under lru_lock, too */
	uint32_t slot;   /* swap slot with this page's copy; 0: none */
	uint32_t mapcount; /* PTEs that map it, and faults that copy it */
	union {
		struct family *family; /* the reverse link; NULL: none */
		uint64_t pieces;       /* kmalloc's frames: free pieces */
	};
	uint32_t index; /* page of its objects; kmalloc's: size class */
	/* The audit's: PTEs that map it; an object has it. The allocator's:
	 * it is free, and poisoned. */
	uint32_t ptes : 30, named : 1, poisoned : 1;

	/* The lru list's, under lru_lock; the allocator's while FREE. */
	TAILQ_ENTRY(frame) lru;
};
TAILQ_HEAD(frame_list, frame);

/* In frames. Constant after frame_init. */
extern struct watermarks {
	uint64_t min, low, high;
} watermarks;

enum frame_flags {
	FRAME_MAYWAIT = 1 << 0, /* may reclaim, and sleep meanwhile */
	FRAME_RESERVE = 1 << 1, /* may go below the min watermark */
	FRAME_ZERO = 1 << 2,    /* the bytes are cleared */
	FRAME_PAGED = 1 << 3,   /* for a page that reclaim may take */
};

/* Takes over all usable memory of `bi` above what early_alloc gave out, at
 * most `mem_mib` MiB of it (0: all). Leaves out the modules. Boot, one CPU.
 * Panics when less than FRAME_LEAST_MIB is left. */
#define FRAME_LEAST_MIB 8
void frame_init(const struct bootinfo *bi, uint64_t mem_mib);

/* Takes 2^order frames in one piece for good, for the ramdisk, or NULL when no
 * such piece is left. Boot only, after frame_init; the watermarks are scaled
 * again to what remains. */
void *frame_carve(unsigned order);

/* One frame in state PINNED, all fields 0; NULL when out of memory. Without
 * FRAME_MAYWAIT half of what lies below the min watermark may be used, with
 * FRAME_RESERVE all of it. With neither FRAME_RESERVE nor FRAME_PAGED NULL is
 * the answer while reclaim could have less than twice the high watermark.
 * With FRAME_MAYWAIT: no spinlock held, interrupts on; a bounded number of
 * direct reclaim passes come before the NULL. Else: any context and lock. */
struct frame *frame_alloc(unsigned flags);
#define frame_alloc(flags) (INJECT_TASK("alloc-frame", flags) ? NULL : \
			    (frame_alloc)(flags))

/* 2^order frames in one piece, aligned to its size, never waits; NULL when
 * there is none. The first one stands for the block; free with frame_free. */
struct frame *frames_alloc(unsigned order);

/* Gives back a frame, or the block it stands for. Its state must be PINNED,
 * LIMBO or INBOUND, mapcount and slot 0, and no CPU may hold a translation
 * to it (I5). Any context, any lock. */
void frame_free(struct frame *f);

/* frame_free and frame_alloc at once, of a single frame, so that nobody else
 * gets it. Any context, any lock. */
struct frame *frame_reuse(struct frame *f);

/* Moves `f` to `state`, never FREE; panics when the move is not in the table
 * of mm/README.md. Caller holds the lock that the state's list belongs to. */
void frame_set_state(struct frame *f, enum frame_state state);
const char *frame_state_name(enum frame_state state);

/* The queue on which those sleep who wait for IO on `f`. It has other frames'
 * sleepers, too, so who wakes looks again. Sleep on it with obj->lock held
 * and given up; wake it after the state was changed under obj->lock. */
struct waitq *frame_waitq(const struct frame *f);

extern struct frame *frames; /* one for each page of managed memory */
extern uint64_t frames_end;  /* frame numbers are below */

static inline uint64_t frame_pa(const struct frame *f)
{
	return (f - frames) * WEIR_PAGE_SIZE;
}

static inline void *frame_kva(const struct frame *f)
{
	return KVA(frame_pa(f));
}

/* The descriptor of the frame at that address; panics when it has none. */
static inline struct frame *frame_of_pa(uint64_t pa)
{
	assert(pa / WEIR_PAGE_SIZE < frames_end);
	return &frames[pa / WEIR_PAGE_SIZE];
}

static inline struct frame *frame_of_kva(const void *kva)
{
	return frame_of_pa(PA(kva));
}

/* Free frames now; an estimate while others allocate. Any context. */
uint64_t nr_free(void);
/* Frames that the allocator manages, free or not. */
uint64_t nr_frames(void);

/* ---- between frame.c, frame_init.c, frame_state.c,
 * kmalloc.c and audit.c ---- */

extern struct frame_list buddy[FRAME_MAX_ORDER + 1]; /* under frame_lock */
extern struct frame_cache {
	struct spinlock lock;
	unsigned count;         /* under lock */
	struct frame_list list; /* under lock */
} __attribute__((aligned(64))) caches[MAX_CPUS];

/* Panics unless `f` may be freed now. */
void frame_check_freeable(const struct frame *f);

/* check=poison: what is free holds a pattern, and is looked at when it is given
 * out: what was stored there meanwhile came by a translation or a pointer that
 * should have been gone (P1). Frames that wait for their flush (limbo.c) are
 * not free yet, so the two go together (I23).
 * `n` bytes of the direct map, a multiple of 8. False, and nothing is done: it
 * is off. */
bool poison_fill(uint64_t *at, size_t n);
void poison_check(const uint64_t *at, size_t n);

void frame_wait_init(void);

/* Starts over with `nframes` descriptors, none of them free. */
void frames_setup(struct frame *array, uint64_t nframes);

/* Frees the frames numbered [start, end), and scales the watermarks. */
void frames_add(uint64_t start, uint64_t end);
