/*
 * frame_init.c - from the boot loader's memory map to free frames.
 *
 * Usable memory above the kernel's early allocations becomes free frames,
 * but for the modules, which stay where the loader put them. `mem=` counts
 * usable memory from address 0. The map may be unsorted and may overlap:
 * only whole pages count, and of two claims the reserving one wins.
 */
#include "boot/bootinfo.h"

#include "mm/oracle.h"

#define PAGE WEIR_PAGE_SIZE
#define LEGACY_END (1ull << 20) /* firmware's and the trampoline's */

/* What a page may be at once. */
enum { USABLE = 1, TAKEN = 2 };

/* Has [base, base + len) the page with number `at`; `whole`: all of it? *next:
 * the first one behind `at` for which that, or what was asked before, is
 * another matter. */
static bool has(uint64_t base, uint64_t len, uint64_t at, bool whole,
		uint64_t *next)
{
	uint64_t start = (base + (whole ? PAGE - 1 : 0)) / PAGE;
	uint64_t end = (base + len + (whole ? 0 : PAGE - 1)) / PAGE;
	uint64_t edge = at < start ? start : end;

	if (len == 0 || base + len < base)
		return false;
	if (edge > at && edge < *next)
		*next = edge;
	return at >= start && at < end;
}

/* What frame number `at` is, and so are all up to *next. */
static unsigned what_is(const struct bootinfo *bi, uint64_t at, uint64_t *next)
{
	unsigned what = 0;

	*next = UINT64_MAX;
	for (unsigned i = 0; i < bi->nmodules; i++)
		if (has(bi->module[i].pa, bi->module[i].len, at, false, next))
			what |= TAKEN;
	for (unsigned i = 0; i < bi->nmmap; i++) {
		bool usable = bi->mmap[i].type == BOOT_USABLE;

		if (has(bi->mmap[i].base, bi->mmap[i].len, at, usable, next))
			what |= usable ? USABLE : TAKEN;
	}
	return what;
}

/* The frame number below which memory is managed: the end of the first
 * `mem_mib` MiB of usable memory, or of all. */
static uint64_t managed_end(const struct bootinfo *bi, uint64_t mem_mib)
{
	uint64_t left = mem_mib && mem_mib < UINT64_MAX / PAGES_PER_MIB ?
			mem_mib * PAGES_PER_MIB : UINT64_MAX;
	uint64_t end = 0, next;

	for (uint64_t at = 0; left && at != UINT64_MAX; at = next) {
		if (!(what_is(bi, at, &next) & USABLE))
			continue;
		end = next - at < left ? next : at + left;
		left -= end - at;
	}
	return end;
}

void frame_init(const struct bootinfo *bi, uint64_t mem_mib)
{
	uint64_t end = managed_end(bi, mem_mib), at, next;
	uint64_t bytes = end * sizeof(struct frame);

	/* The descriptors are taken before early_end() is read. */
	uint64_t array = early_alloc((bytes + PAGE - 1) / PAGE);

	frame_wait_init();
	frames_setup(KVA(array), end);
	oracle_init();
	at = early_end() > LEGACY_END ? early_end() : LEGACY_END;
	for (at = (at + PAGE - 1) / PAGE; at < end; at = next)
		if (what_is(bi, at, &next) == USABLE)
			frames_add(at, next < end ? next : end);
	uint64_t kib = nr_frames() * (PAGE / 1024);

	if (kib < FRAME_LEAST_MIB * 1024)
		panic("too little memory: %lu KiB are left beside the kernel "
		      "and its modules, %u MiB are needed; give the machine "
		      "more, or raise mem=", kib, FRAME_LEAST_MIB);
}
