/*
 * frame_init.c - from the boot loader's memory map to free frames.
 *
 * Usable memory above the kernel's early allocations becomes free frames,
 * but for the modules, which stay where the loader put them. `mem=` counts
 * usable memory from address 0. The map may be unsorted and may overlap:
 * only whole pages count, and of two claims the reserving one wins.
 */
#include "boot/bootinfo.h"

#include "arch/x86_64/panic.h"
#include "arch/x86_64/paging.h"
#include "kernel/abi/weir.h"
#include "mm/frame.h"
#include "mm/frame_init.h"

#define PAGE WEIR_PAGE_SIZE
#define LEGACY_END (1ull << 20) /* firmware's and the trampoline's */
#define MIB (1ull << 20)

struct span {
	uint64_t start, end; /* frame numbers */
};

/* The usable whole pages of entry i; an empty span if none. */
static struct span usable(const struct bootinfo *bi, unsigned i)
{
	uint64_t base = bi->mmap[i].base, len = bi->mmap[i].len;
	struct span s = { (base + PAGE - 1) / PAGE, (base + len) / PAGE };

	if (bi->mmap[i].type != BOOT_USABLE || base + len < base ||
	    s.start > s.end)
		return (struct span){ 0, 0 };
	return s;
}

/* The lowest span that begins at or above `from`, or contains it. */
static struct span next_usable(const struct bootinfo *bi, uint64_t from)
{
	struct span best = { UINT64_MAX, UINT64_MAX };

	for (unsigned i = 0; i < bi->nmmap; i++) {
		struct span s = usable(bi, i);

		if (s.end <= from || s.start == s.end)
			continue;
		if (s.start < from)
			s.start = from;
		if (s.start < best.start)
			best = s;
	}
	return best;
}

/* The frame number below which memory is managed: the end of the first
 * `mem_mib` MiB of usable memory, or of all. */
static uint64_t managed_end(const struct bootinfo *bi, uint64_t mem_mib)
{
	uint64_t left = mem_mib && mem_mib < UINT64_MAX / MIB ?
			mem_mib * (MIB / PAGE) : UINT64_MAX;
	uint64_t end = 0;

	while (left) {
		struct span s = next_usable(bi, end);
		uint64_t n = s.end - s.start;

		if (s.start == UINT64_MAX)
			break;
		n = n < left ? n : left;
		left -= n;
		end = s.start + n;
	}
	return end;
}

/* Cuts `s` short before, or moves it behind, what must not be used: the
 * pages of [pa, pa + len). */
static void avoid(struct span *s, uint64_t *resume, uint64_t pa, uint64_t len)
{
	uint64_t start = pa / PAGE, end = (pa + len + PAGE - 1) / PAGE;

	if (len == 0 || end <= s->start || start >= s->end)
		return;
	s->end = start > s->start ? start : s->start;
	*resume = end;
}

/* Frees [start, end) but for the modules and what the map also reserves. */
static void add_unreserved(const struct bootinfo *bi, uint64_t start,
			   uint64_t end)
{
	while (start < end) {
		struct span s = { start, end };
		uint64_t resume = end;

		/* What is left of s ends at the lowest of them all. */
		for (unsigned i = 0; i < bi->nmodules; i++)
			avoid(&s, &resume, bi->module[i].pa,
			      bi->module[i].len);
		for (unsigned i = 0; i < bi->nmmap; i++)
			if (bi->mmap[i].type != BOOT_USABLE)
				avoid(&s, &resume, bi->mmap[i].base,
				      bi->mmap[i].len);
		frames_add(s.start, s.end);
		start = resume;
	}
}

void frame_init(const struct bootinfo *bi, uint64_t mem_mib)
{
	uint64_t end = managed_end(bi, mem_mib), at;
	uint64_t bytes = end * sizeof(struct frame);

	/* The descriptors are taken before early_end() is read. */
	uint64_t array = early_alloc((bytes + PAGE - 1) / PAGE);

	frames_setup(KVA(array), end);
	at = early_end() > LEGACY_END ? early_end() : LEGACY_END;
	at = (at + PAGE - 1) / PAGE;
	while (at < end) {
		struct span s = next_usable(bi, at);

		if (s.start >= end)
			break;
		at = s.end < end ? s.end : end;
		add_unreserved(bi, s.start, at);
	}
	uint64_t kib = nr_frames() * (PAGE / 1024);

	if (kib < FRAME_LEAST_MIB * 1024)
		panic("too little memory: %lu KiB are left beside the kernel "
		      "and its modules, %u MiB are needed; give the machine "
		      "more, or raise mem=", kib, FRAME_LEAST_MIB);
}
