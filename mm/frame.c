/*
 * frame.c - the frame allocator: buddy lists behind per-CPU caches.
 *
 * Owns the array of struct frame, one per page from address 0 to the end of
 * managed memory; frames of holes, the kernel image, modules and the ramdisk
 * are PINNED and nobody's (head is false), so they can never be freed.
 * Locks: a cache's lock, then frame_lock (the buddy lists). Caches belong to
 * a CPU but any CPU may drain them. free_frames counts both, atomically.
 * Invariants: I5. Does not do: NUMA, movable frames.
 */
#include "mm/frame.h"

#include "kernel/stat.h"
#include "kernel/thread.h"
#include "mm/oracle.h"
#include "mm/reclaim.h"

#define CACHE_MAX 32u         /* frames in a CPU's cache, at most */
#define STALL_FRUITLESS 64    /* times in a row nobody freed one, then NULL */
#define STALL_TRIES 16384     /* passes that brought nothing, then NULL */
#define STALL_PATIENCE 20     /* of those while pages are with pagers */
#define STALL_LAUNDRY 40000   /* the same: more than a pager's deadline */
#define STALL_PAUSE_NS 500000 /* after a pass that freed nothing */

/* Constant after boot. */
struct frame *frames;
uint64_t frames_end; /* frame numbers are below */
static uint64_t frames_managed;
static unsigned cache_max;
struct watermarks watermarks;

static struct spinlock frame_lock = SPINLOCK_INIT(frames);
struct frame_list buddy[FRAME_MAX_ORDER + 1]; /* under frame_lock */

static uint64_t free_frames; /* atomic */

struct frame_cache caches[MAX_CPUS];

uint64_t nr_free(void)
{
	return __atomic_load_n(&free_frames, __ATOMIC_RELAXED);
}

uint64_t nr_frames(void)
{
	return frames_managed;
}

/* ---- The buddy lists: callers hold frame_lock ---- */

static void list_block(struct frame *f, unsigned order)
{
	f->order = order;
	f->head = f->listed = true;
	TAILQ_INSERT_HEAD(&buddy[order], f, lru);
}

/* The frame is not the first of a block then. */
static void unlist_block(struct frame *f)
{
	assert(f->listed && f->state == FRAME_FREE);
	TAILQ_REMOVE(&buddy[f->order], f, lru);
	f->head = f->listed = false;
}

/* Lists a block of free frames, merged with its buddies. */
static void buddy_put(struct frame *f, unsigned order)
{
	uint64_t pfn = f - frames;

	while (order < FRAME_MAX_ORDER) {
		uint64_t other = pfn ^ 1ull << order;

		if (other >= frames_end || !frames[other].listed ||
		    frames[other].order != order)
			break;
		unlist_block(&frames[other]);
		frames[pfn].head = false;
		pfn &= ~(1ull << order);
		order++;
	}
	list_block(&frames[pfn], order);
}

/* Takes a block of free frames off the lists; NULL when there is none. */
static struct frame *buddy_take(unsigned order)
{
	unsigned have;

	for (have = order; TAILQ_EMPTY(&buddy[have]); have++)
		if (have == FRAME_MAX_ORDER)
			return NULL;
	struct frame *f = TAILQ_FIRST(&buddy[have]);
	unlist_block(f);
	while (have > order) {
		have--;
		list_block(f + (1ull << have), have);
	}
	f->order = order;
	f->head = true;
	return f;
}

/* ---- Allocation ---- */

/* Makes a free block its caller's: the only exit from FREE. Holds the lock
 * of the list that it was on, so that FREE is to be on one. */
static void block_claim(struct frame *f, unsigned order)
{
	for (uint64_t i = 0; i < 1ull << order; i++) {
		assert(f[i].state == FRAME_FREE);
		f[i].state = FRAME_PINNED;
		f[i].dirty = f[i].taken_back = false;
		f[i].family = NULL;
		f[i].index = 0;
		if (f[i].poisoned)
			poison_check(frame_kva(&f[i]), WEIR_PAGE_SIZE);
		f[i].poisoned = false;
	}
	ORACLE(allocated(f, 1ull << order));
	__atomic_sub_fetch(&free_frames, 1ull << order, __ATOMIC_RELAXED);
}

/* Brings the cache to `n` frames, or as near as there are free ones. Holds
 * cache->lock. */
static void cache_resize(struct frame_cache *cache, unsigned n)
{
	struct frame *f;

	spin_lock(&frame_lock);
	while (cache->count < n && (f = buddy_take(0))) {
		TAILQ_INSERT_HEAD(&cache->list, f, lru);
		cache->count++;
	}
	while (cache->count > n) {
		f = TAILQ_LAST(&cache->list, frame_list);
		TAILQ_REMOVE(&cache->list, f, lru);
		cache->count--;
		buddy_put(f, 0);
	}
	spin_unlock(&frame_lock);
}

/* Puts every CPU's cached frames back into the buddy lists. */
static void frame_cache_drain(void)
{
	for (unsigned i = 0; i < MAX_CPUS; i++) {
		spin_lock(&caches[i].lock);
		cache_resize(&caches[i], 0);
		spin_unlock(&caches[i].lock);
	}
}

/* The free frames that must remain after an allocation with `flags`. */
static uint64_t floor_of(unsigned flags)
{
	if (flags & FRAME_RESERVE)
		return 0;
	return flags & FRAME_MAYWAIT ? watermarks.min : watermarks.min / 2;
}

static struct frame *cache_take(struct frame_cache *cache)
{
	spin_lock(&cache->lock);
	if (!cache->count)
		cache_resize(cache, (cache_max + 1) / 2);
	struct frame *f = TAILQ_FIRST(&cache->list);
	if (f) {
		TAILQ_REMOVE(&cache->list, f, lru);
		cache->count--;
		block_claim(f, 0);
	}
	spin_unlock(&cache->lock);
	return f;
}

/* Reclaim cannot have back what is not for a page: where that is nearly all
 * memory, tasks would only rob each other of the rest. System tasks are who
 * must go on (P6). */
static bool may_take(unsigned order, unsigned flags)
{
	return flags & (FRAME_PAGED | FRAME_RESERVE) ||
	       reclaim_usable() >= 2 * watermarks.high + (1ull << order) ||
	       (current() && current()->as && current()->as->system);
}

/* One try, without waiting. */
static struct frame *alloc_try(unsigned order, unsigned flags)
{
	if (nr_free() < floor_of(flags) + (1ull << order) ||
	    !may_take(order, flags))
		return NULL;
	if (!order)
		return cache_take(&caches[cpu_id()]);
	spin_lock(&frame_lock);
	struct frame *f = buddy_take(order);
	if (f)
		block_claim(f, order);
	spin_unlock(&frame_lock);
	return f;
}

/* All that is done without waiting. */
static struct frame *alloc_now(unsigned order, unsigned flags)
{
	struct frame *f = alloc_try(order, flags);

	if (!f && nr_free() > floor_of(flags) && may_take(order, flags)) {
		frame_cache_drain(); /* they are in other CPUs' caches */
		f = alloc_try(order, flags);
	}
	if (nr_free() < watermarks.low)
		reclaim_wake();
	return f;
}

/* The frame that a thread reclaims for itself; NULL: out of memory and swap.
 * A pass that freed nothing pauses: the frames are with other passes then, or
 * with pagers, which all get their time but are not trusted with ours. */
static struct frame *alloc_stall(unsigned flags)
{
	unsigned fruitless = 0, laundering = 0, tries = 0;
	struct frame *f = NULL;

	/* A pass looks at a batch: all frames have their turn, twice. */
	unsigned limit = STALL_FRUITLESS + 2 * reclaim_usable() / RECLAIM_BATCH;

	while (!f && fruitless < limit && tries < STALL_TRIES + limit &&
	       may_take(0, flags)) {
		uint64_t stolen = stat_sum(WEIR_C_pgsteal);

		if ((f = reclaim_direct(laundering > STALL_PATIENCE)))
			break;
		thread_sleep_ns(STALL_PAUSE_NS);
		f = alloc_try(0, flags);
		if (reclaim_laundering() && laundering < STALL_LAUNDRY) {
			laundering++;
			continue;
		}
		tries++;
		fruitless = stat_sum(WEIR_C_pgsteal) == stolen ?
			    fruitless + 1 : 0;
	}
	return f;
}

struct frame *(frame_alloc)(unsigned flags)
{
	struct frame *f = alloc_now(0, flags);

	assert(!(flags & FRAME_MAYWAIT) || !this_cpu()->locks_held);
	if (!f && flags & FRAME_MAYWAIT)
		f = alloc_stall(flags);
	if (f && flags & FRAME_ZERO)
		memset(frame_kva(f), 0, WEIR_PAGE_SIZE);
	return f;
}

struct frame *frames_alloc(unsigned order)
{
	return order <= FRAME_MAX_ORDER ? alloc_now(order, 0) : NULL;
}

/* The reverse of block_claim. */
static void block_release(struct frame *f)
{
	uint64_t n = 1ull << f->order;

	frame_check_freeable(f);
	ORACLE(freed(f, n));
	bool poisoned = poison_fill(frame_kva(f), n * WEIR_PAGE_SIZE);

	for (uint64_t i = 0; i < n; i++) {
		f[i].state = FRAME_FREE;
		f[i].poisoned = poisoned;
	}
	f->family = NULL;
	f->pinned = false;
	__atomic_add_fetch(&free_frames, n, __ATOMIC_RELAXED);
}

struct frame *frame_reuse(struct frame *f)
{
	struct frame_cache *cache = &caches[cpu_id()];

	spin_lock(&cache->lock);
	block_release(f);
	block_claim(f, f->order);
	spin_unlock(&cache->lock);
	return f;
}

void frame_free(struct frame *f)
{
	struct frame_cache *cache = &caches[cpu_id()];

	spin_lock(&cache->lock);
	block_release(f);
	if (f->order) {
		spin_lock(&frame_lock);
		buddy_put(f, f->order);
		spin_unlock(&frame_lock);
	} else {
		TAILQ_INSERT_HEAD(&cache->list, f, lru);
		if (++cache->count > cache_max)
			cache_resize(cache, cache_max / 2);
	}
	spin_unlock(&cache->lock);
}

/* ---- For frame_init.c (boot) ---- */

static uint64_t clamp(uint64_t value, uint64_t min, uint64_t max)
{
	return value < min ? min : value > max ? max : value;
}

/* Sets the watermarks for the frames that are left. */
static void scale(void)
{
	uint64_t min = clamp(frames_managed / 128, 64, 2048);

	/* Room for two passes between low and min: few threads stall. */
	watermarks = (struct watermarks){ min, 3 * min, 5 * min };
	cache_max = clamp(frames_managed / 2048, 4, CACHE_MAX);
}

void frames_setup(struct frame *array, uint64_t nframes)
{
	frames = array;
	frames_end = nframes;
	frames_managed = 0;
	free_frames = 0;
	for (unsigned i = 0; i <= FRAME_MAX_ORDER; i++)
		TAILQ_INIT(&buddy[i]);
	for (unsigned i = 0; i < MAX_CPUS; i++) {
		spin_init(&caches[i].lock, RANK_frame_cache);
		TAILQ_INIT(&caches[i].list);
		caches[i].count = 0;
	}
	for (uint64_t i = 0; i < nframes; i++)
		frames[i] = (struct frame){ .state = FRAME_PINNED };
}

void frames_add(uint64_t start, uint64_t end)
{
	assert(start <= end && end <= frames_end);
	spin_lock(&frame_lock);
	for (uint64_t i = start; i < end; i++) {
		assert(frames[i].state == FRAME_PINNED && !frames[i].head);
		frames[i].state = FRAME_FREE;
		buddy_put(&frames[i], 0);
	}
	frames_managed += end - start;
	__atomic_add_fetch(&free_frames, end - start, __ATOMIC_RELAXED);
	scale();
	spin_unlock(&frame_lock);
}

void *frame_carve(unsigned order)
{
	struct frame *f = frames_alloc(order);

	if (!f)
		return NULL;
	f->head = false;
	frames_managed -= 1ull << order;
	scale();
	return frame_kva(f);
}
