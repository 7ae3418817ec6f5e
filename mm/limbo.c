/*
 * limbo.c - policy lazy: clean frames that wait, unflushed, until somebody
 * needs them.
 *
 * Owns a ring of groups, the frames and the batch of a pass each, numbered in
 * the order in which they came. A CPU that empties its TLB, whatever for,
 * notes the last number first (tlb_cpu.passed), and does so before it returns
 * to user mode if there is a new one. So a group most often costs no
 * interrupt: all its CPUs have passed it. Those that have not are interrupted
 * when its frames are needed, for all groups at once (P1).
 * Until then some CPU may read a page's old frame. That is what it would read
 * in the new one, if nobody writes: the page's family knows its last group,
 * and while that waits a fault grants no W, and who must write pays (P3).
 * Sources: LUF (Byungchul Park, linux-mm 2023-2025); LATR (Kumar et al.,
 * ASPLOS 2018). Lock: limbo_mutex, before any family->lock.
 */
#include "mm/limbo.h"

#include "kernel/stat.h"
#include "mm/tlb_switch.h"

#define GROUPS 16u

static struct group {
	struct tlb_batch batch;
	struct frame_list frames;
} ring[GROUPS]; /* number n is at n % GROUPS */
static struct mutex limbo_mutex = MUTEX_INIT(limbo_mutex);
static uint64_t waiting; /* atomic: frames */
uint64_t limbo_flushed;

uint64_t limbo_frames(void)
{
	return LOAD(&waiting);
}

/* Frees the frames of the oldest groups, while no CPU is behind or, with
 * `all`, after an interrupt to those that are. Holds the mutex. */
static void reap(bool all, struct frame **kept)
{
	while (limbo_flushed < tlb_round) {
		struct group *g = &ring[(limbo_flushed + 1) % GROUPS];
		struct frame *f;

		g->batch.cpus = tlb_behind(g->batch.cpus, limbo_flushed + 1);
		if (g->batch.cpus && !all)
			break;
		stat_add(g->batch.cpus ? WEIR_C_tlb_flush_before_free :
					 WEIR_C_tlb_flush_avoided, 1);
		tlb_batch_flush(&g->batch);
		while ((f = TAILQ_FIRST(&g->frames))) {
			TAILQ_REMOVE(&g->frames, f, lru);
			__atomic_sub_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
			reclaim_free(f, kept);
		}
		__atomic_add_fetch(&limbo_flushed, 1, __ATOMIC_SEQ_CST);
	}
}

void limbo_reap(bool all, struct frame **kept)
{
	if (LOAD(&limbo_flushed) == LOAD(&tlb_round))
		return;
	mutex_lock(&limbo_mutex);
	reap(all, kept);
	mutex_unlock(&limbo_mutex);
}

void limbo_open(void)
{
	mutex_lock(&limbo_mutex);
	if (tlb_round - limbo_flushed == GROUPS)
		reap(true, NULL);
	__atomic_add_fetch(&tlb_round, 1, __ATOMIC_SEQ_CST);
	TAILQ_INIT(&ring[tlb_round % GROUPS].frames);
}

void limbo_add(struct frame *f, struct family *fam)
{
	assert(f->state == FRAME_LIMBO);
	fam->limbo = tlb_round;
	TAILQ_INSERT_TAIL(&ring[tlb_round % GROUPS].frames, f, lru);
	__atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
}

void limbo_close(struct tlb_batch *b)
{
	assert(!b->writable); /* P2 */
	ring[tlb_round % GROUPS].batch = *b;
	*b = (struct tlb_batch){ 0 };
	mutex_unlock(&limbo_mutex);
}
