/*
 * paging.c - the boot allocator and the kernel's own page tables.
 *
 * The tables are built here once, through boot.asm's map of the first 4 GiB:
 * W^X everywhere, the direct map of usable RAM only, and every PDPT of the
 * kernel half that will ever be used, so that user PML4s can copy the
 * entries. Later changes are kmap.c's.
 */
#include "arch/x86_64/paging.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/kmap.h"
#include "arch/x86_64/panic.h"
#include "arch/x86_64/string.h"
#include "boot/bootinfo.h"

#define PAGE 4096ull
#define LOW_LIMIT (1ull << 32) /* boot.asm maps as much */
#define PML4_SHIFT 39
#define DIRECT_SLOTS 64 /* 32 TiB of addresses */

extern char kernel_text[], kernel_text_end[], kernel_rodata[],
	kernel_rodata_end[], kernel_end[], boot_stack_guard[];

uint64_t kernel_pml4_pa;

static const struct bootinfo *info;
static uint64_t early_next;
static bool early_over;

static uint64_t image_pa(const void *p)
{
	return (uint64_t)p - KERNEL_BASE;
}

/* The lowest address from `at` on where `len` bytes of usable RAM lie;
 * UINT64_MAX: nowhere. */
static uint64_t find_usable(uint64_t at, uint64_t len)
{
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < info->nmmap; i++) {
		uint64_t start = (info->mmap[i].base + PAGE - 1) & -PAGE;
		uint64_t end = (info->mmap[i].base + info->mmap[i].len) & -PAGE;

		if (info->mmap[i].type != BOOT_USABLE)
			continue;
		if (start < at)
			start = at;
		if (start < end && end - start >= len && start < best)
			best = start;
	}
	return best;
}

/* The end of a module that touches [at, at + len), or 0. */
static uint64_t module_in(uint64_t at, uint64_t len)
{
	for (unsigned i = 0; i < info->nmodules; i++) {
		uint64_t pa = info->module[i].pa;
		uint64_t end = pa + info->module[i].len;

		if (pa < at + len && end > at)
			return (end + PAGE - 1) & -PAGE;
	}
	return 0;
}

uint64_t early_alloc(uint64_t npages)
{
	uint64_t len = npages * PAGE, at = early_next, end;

	if (early_over)
		panic("early_alloc after the frame allocator has begun");
	for (;;) {
		at = find_usable(at, len);
		if (at == UINT64_MAX)
			panic("too little memory: the kernel needs %lu KiB "
			      "in one piece at boot", len / 1024);
		end = module_in(at, len);
		if (!end)
			break;
		at = end;
	}
	if (!kernel_pml4_pa && at + len > LOW_LIMIT)
		panic("no memory below 4 GiB for the page tables");
	early_next = at + len;
	memset(KVA(at), 0, len);
	return at;
}

uint64_t early_end(void)
{
	return early_next;
}

void early_finish(void)
{
	early_over = true;
}

/* Maps one page of size 1 << shift (12, 21 or 30). What is already mapped
 * stays: firmware maps may overlap. */
static void map_one(uint64_t pml4, uint64_t va, uint64_t pa, unsigned shift,
		    uint64_t flags)
{
	pte_t *cell = kmap_cell(pml4, va, shift, true);

	if (!(*cell & PTE_P))
		*cell = pa | flags | (shift > 12 ? PTE_PS : 0);
}

/* The largest page that fits at va and pa. */
static unsigned best_shift(uint64_t va, uint64_t pa, uint64_t len)
{
	for (unsigned s = cpu_features.gib_pages ? 30 : 21; s > 12; s -= 9)
		if (len >> s && !((va | pa) & ((1ull << s) - 1)))
			return s;
	return 12;
}

static void map_range(uint64_t pml4, uint64_t va, uint64_t pa, uint64_t len,
		      uint64_t flags)
{
	flags |= PTE_P | PTE_G | PTE_A;
	if (flags & PTE_W)
		flags |= PTE_D;
	while (len) {
		unsigned s = best_shift(va, pa, len);

		map_one(pml4, va, pa, s, flags);
		va += 1ull << s;
		pa += 1ull << s;
		len -= 1ull << s;
	}
}

static void map_image(uint64_t pml4, const char *start, const char *end,
		      uint64_t flags)
{
	if (end > start)
		map_range(pml4, (uint64_t)start, image_pa(start), end - start,
			  flags);
}

/* The direct map of [start, end): writable but for the part in the kernel's
 * text and read-only data. */
static void map_direct(uint64_t pml4, uint64_t start, uint64_t end)
{
	uint64_t cut[4] = { start, image_pa(kernel_text),
			    image_pa(kernel_rodata_end), end };

	for (unsigned i = 1; i < 3; i++) {
		if (cut[i] < start)
			cut[i] = start;
		if (cut[i] > end)
			cut[i] = end;
	}
	for (unsigned i = 0; i < 3; i++)
		if (cut[i] < cut[i + 1])
			map_range(pml4, KVA_BASE + cut[i], cut[i],
				  cut[i + 1] - cut[i],
				  i == 1 ? PTE_NX : PTE_NX | PTE_W);
}

static void map_ram(uint64_t pml4)
{
	for (unsigned i = 0; i < info->nmmap; i++) {
		uint64_t start = (info->mmap[i].base + PAGE - 1) & -PAGE;
		uint64_t end = (info->mmap[i].base + info->mmap[i].len) & -PAGE;

		if (info->mmap[i].type != BOOT_USABLE || start >= end)
			continue;
		if (end > (uint64_t)DIRECT_SLOTS << PML4_SHIFT)
			panic("memory above 32 TiB");
		map_direct(pml4, start, end);
	}
}

/* A next-level table for every PML4 entry of the kernel half in use. */
static void fix_top_level(uint64_t pml4)
{
	kmap_cell(pml4, KVA_BASE, 30, true);
	kmap_cell(pml4, KSTACK_BASE, 30, true);
	kmap_cell(pml4, MMIO_BASE, 30, true);
	kmap_cell(pml4, KERNEL_BASE, 30, true);
}

void paging_init(const struct bootinfo *bi)
{
	uint64_t pml4;

	info = bi;
	early_next = image_pa(kernel_end);
	pml4 = early_alloc(1);
	fix_top_level(pml4);
	map_image(pml4, kernel_text, kernel_text_end, 0);
	map_image(pml4, kernel_rodata, kernel_rodata_end, PTE_NX);
	map_image(pml4, kernel_rodata_end, boot_stack_guard, PTE_NX | PTE_W);
	map_image(pml4, boot_stack_guard + PAGE, kernel_end, PTE_NX | PTE_W);
	map_ram(pml4);
	write_cr3(pml4);
	kernel_pml4_pa = pml4;
}
