/*
 * mm.c - starts the pieces of memory management in their order, and decides
 * how memory is divided between frames and swap.
 */
#include "mm/mm.h"

#include "arch/x86_64/print.h"
#include "kernel/abi/weir.h"
#include "kernel/param.h"
#include "mm/frame.h"
#include "mm/point.h"
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "mm/tlb.h"

#define PAGES_PER_MIB (1048576 / WEIR_PAGE_SIZE)

static unsigned mib_of(uint64_t pages)
{
	return pages / PAGES_PER_MIB;
}

/* MiB of swap when swap= does not say: 3/4 of memory, so that a workload of
 * twice the memory that remains fits; less where memory is short. */
static unsigned default_swap_mib(void)
{
	unsigned all = mib_of(nr_frames());
	unsigned mib = all * 3 / 4;

	/* One more is for rounding, and for the slot table. */
	if (all - mib < FRAME_LEAST_MIB + 1)
		mib = all > FRAME_LEAST_MIB + 1 ? all - FRAME_LEAST_MIB - 1 : 0;
	return mib;
}

/* A page for the kernel's page tables and stacks; 0 when there is none. */
static uint64_t alloc_table(void)
{
	struct frame *f = frame_alloc(FRAME_ZERO);

	return f ? frame_pa(f) : 0;
}

void mm_init(const struct bootinfo *bi)
{
	frame_init(bi, params.mem_mib);
	kmap_set_allocator(alloc_table);
	tlb_init();
	tlb_policy_set(params.policy);
	reclaim_set_batch(params.batch);
	point_delay(params.points, params.points_seed);
	swap_init(params.swap_mib ? params.swap_mib : default_swap_mib());
	kprintf("mm: %u MiB of frames, %u MiB of swap; "
		"watermarks %lu %lu %lu\n",
		mib_of(nr_frames()), mib_of(swap_slots_total()),
		watermarks.min, watermarks.low, watermarks.high);
}

void mm_start(void)
{
	swap_start();
	reclaim_init();
}
