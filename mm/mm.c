/*
 * mm.c - starts the pieces of memory management in their order, and decides
 * how memory is divided between frames and swap.
 */
#include "mm/mm.h"

#include "mm/point.h"
#include "mm/reclaim.h"
#include "mm/swap.h"

/* MiB of swap when swap= does not say: 3/4 of memory, so that a workload of
 * twice the memory that remains fits; less where memory is short. */
static unsigned default_swap_mib(void)
{
	/* One more is for rounding, and for the slot table. */
	unsigned all = nr_frames() / PAGES_PER_MIB, least = FRAME_LEAST_MIB + 1;
	unsigned most = all > least ? all - least : 0;

	return all * 3 / 4 < most ? all * 3 / 4 : most;
}

/* A zeroed page for the kernel's page tables and stacks; 0: there is none. */
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
	kprintf("mm: %lu MiB of frames, %u MiB of swap; "
		"watermarks %lu %lu %lu\n",
		nr_frames() / PAGES_PER_MIB, swap_slots_total() / PAGES_PER_MIB,
		watermarks.min, watermarks.low, watermarks.high);
}

void mm_start(void)
{
	ramdisk_start();
	reclaim_init();
}
