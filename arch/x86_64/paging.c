/*
 * paging.c - the boot allocator, and the kernel's own page tables.
 *
 * The tables are built once, through boot.asm's map of the first 4 GiB: W^X
 * everywhere, the direct map of usable RAM only, and every PDPT of the kernel
 * half that will ever be used, so that user PML4s can copy the entries.
 * Later only stacks and devices are added: entries go from absent to present,
 * so no TLB needs a flush, and readers need no lock. kmap_lock guards the
 * tables, the address counters and the list of free stacks. Lock order:
 * kmap_lock, then the frame allocator's.
 */
#include "arch/x86_64/paging.h"

#include "arch/x86_64/spin.h"
#include "boot/bootinfo.h"

#define PAGE 4096ull
#define LOW_LIMIT (1ull << 32)     /* boot.asm maps as much */
#define DIRECT_BYTES (64ull << 39) /* 32 TiB of addresses */
#define KSTACK_SLOT ((KSTACK_PAGES + 1) * PAGE) /* the guard comes first */

extern char kernel_text[], kernel_text_end[], kernel_rodata[],
	kernel_rodata_end[], kernel_end[], boot_stack_guard[];

uint64_t kernel_pml4_pa;

static uint64_t early_next;
static struct spinlock kmap_lock = SPINLOCK_INIT(kmap);
static uint64_t (*alloc_page)(void); /* NULL: early_alloc is in use */
static uint64_t stack_next = KSTACK_BASE;
static uint64_t mmio_next = MMIO_BASE;
static void **free_stacks; /* linked through their topmost word */

bool ram_is_free(uint64_t pa, uint64_t len)
{
	bool usable = false;

	for (unsigned i = 0; i < boot_info.nmmap; i++) {
		uint64_t base = boot_info.mmap[i].base;
		uint64_t end = base + boot_info.mmap[i].len;

		if (base >= pa + len || end <= pa)
			continue;
		if (boot_info.mmap[i].type != BOOT_USABLE)
			return false;
		usable |= base <= pa && end >= pa + len;
	}
	for (unsigned i = 0; i < boot_info.nmodules; i++)
		if (boot_info.module[i].pa < pa + len &&
		    boot_info.module[i].pa + boot_info.module[i].len > pa)
			return false;
	return usable;
}

uint64_t early_alloc(uint64_t npages)
{
	uint64_t len = npages * PAGE, at = early_next;

	if (alloc_page)
		panic("early_alloc after the frame allocator has begun");
	while (!ram_is_free(at, len)) {
		at += PAGE;
		if (at + len > LOW_LIMIT)
			panic("too little memory: the kernel needs %lu KiB "
			      "in one piece below 4 GiB at boot", len / 1024);
	}
	early_next = at + len;
	memset(KVA(at), 0, len);
	return at;
}

uint64_t early_end(void)
{
	return early_next;
}

void kmap_set_allocator(uint64_t (*alloc_page_pa)(void))
{
	alloc_page = alloc_page_pa;
}

/* The entry for `va` in the kernel's tables that maps 1 << shift bytes (12,
 * 21 or 30), or that of a larger page over it. NULL: a table is missing and,
 * if `create`, none is to be had. */
static pte_t *entry_of(uint64_t va, unsigned shift, bool create)
{
	pte_t *table = KVA(kernel_pml4_pa);

	for (unsigned s = 39; s > shift; s -= 9) {
		pte_t *e = &table[va >> s & 511];

		if (!(*e & PTE_P)) {
			uint64_t pa = 0;

			if (create)
				pa = alloc_page ? alloc_page() : early_alloc(1);
			if (!pa)
				return NULL;
			pte_xchg(e, pa | PTE_P | PTE_W);
		}
		if (*e & PTE_PS)
			return e;
		table = KVA(pte_pa(*e));
	}
	return &table[va >> shift & 511];
}

static void put_pte(pte_t *e, uint64_t pa, uint64_t flags)
{
	pte_xchg(e, pa | flags | PTE_P | PTE_G | PTE_A |
		 (flags & PTE_W ? PTE_D : 0));
}

bool kmap_present(uint64_t va)
{
	/* Canonical, and in the kernel half. */
	if (va >> 47 != 0x1ffff || !kernel_pml4_pa)
		return false;
	pte_t *e = entry_of(va, 12, false);
	return e && (*e & PTE_P);
}

/* May one page of 1 << shift bytes begin here? Not over a table. */
static bool page_fits(uint64_t va, uint64_t pa, uint64_t len, unsigned shift)
{
	if (len >> shift == 0 || ((va | pa) & ((1ull << shift) - 1)))
		return false;
	pte_t *e = entry_of(va, shift, true);
	return e && (!(*e & PTE_P) || (*e & PTE_PS));
}

/* With the largest pages that fit. What is mapped already stays. */
static void map_range(uint64_t va, uint64_t pa, uint64_t len, uint64_t flags)
{
	while (len) {
		unsigned shift = cpu_features.gib_pages ? 30 : 21;

		while (shift > 12 && !page_fits(va, pa, len, shift))
			shift -= 9;
		pte_t *e = entry_of(va, shift, true);
		if (!e)
			panic("no memory for a page table of the kernel");
		if (!(*e & PTE_P))
			put_pte(e, pa, flags | (shift > 12 ? PTE_PS : 0));
		va += 1ull << shift;
		pa += 1ull << shift;
		len -= 1ull << shift;
	}
}

/* ---- at boot ------------------------------------------------------------- */

static uint64_t image_pa(const void *p)
{
	return (uint64_t)p - KERNEL_BASE;
}

static void map_image(const char *start, const char *end, uint64_t flags)
{
	map_range((uint64_t)start, image_pa(start), end - start, flags);
}

/* The direct map; the kernel's text and read-only data, which come first,
 * stay read-only there too. */
static void map_ram(void)
{
	uint64_t text = image_pa(kernel_text);

	map_range(KVA_BASE + text, text, kernel_rodata_end - kernel_text,
		  PTE_NX);
	for (unsigned i = 0; i < boot_info.nmmap; i++) {
		uint64_t base = boot_info.mmap[i].base;
		uint64_t start = (base + PAGE - 1) & -PAGE;
		uint64_t end = (base + boot_info.mmap[i].len) & -PAGE;

		if (boot_info.mmap[i].type != BOOT_USABLE || start >= end)
			continue;
		if (end > DIRECT_BYTES)
			panic("memory above 32 TiB");
		map_range(KVA_BASE + start, start, end - start,
			  PTE_NX | PTE_W);
	}
}

void paging_init(void)
{
	early_next = image_pa(kernel_end);
	kernel_pml4_pa = early_alloc(1);
	/* The tables that user PML4s share. */
	entry_of(KVA_BASE, 30, true);
	entry_of(KSTACK_BASE, 30, true);
	entry_of(MMIO_BASE, 30, true);
	entry_of(KERNEL_BASE, 30, true);
	map_image(kernel_text, kernel_text_end, 0);
	map_image(kernel_rodata, kernel_rodata_end, PTE_NX);
	map_image(kernel_rodata_end, boot_stack_guard, PTE_NX | PTE_W);
	map_image(boot_stack_guard + PAGE, kernel_end, PTE_NX | PTE_W);
	map_ram();
	write_cr3(kernel_pml4_pa);
}

/* ---- stacks and devices -------------------------------------------------- */

/* A stack that failed half way keeps its pages for the next attempt. */
static void *stack_new(void)
{
	uint64_t base = stack_next + PAGE, top = stack_next + KSTACK_SLOT;

	for (uint64_t va = base; va < top; va += PAGE) {
		pte_t *e = entry_of(va, 12, true);

		if (!e)
			return NULL;
		if (*e & PTE_P)
			continue;
		uint64_t pa = alloc_page();
		if (!pa)
			return NULL;
		put_pte(e, pa, PTE_W | PTE_NX);
	}
	stack_next = top;
	return (void *)top;
}

void *kstack_create(uint64_t most)
{
	void *top = NULL;

	spin_lock(&kmap_lock);
	if (free_stacks) {
		top = free_stacks + 1;
		free_stacks = *free_stacks;
	} else if ((stack_next - KSTACK_BASE) / KSTACK_SLOT < most) {
		top = stack_new();
	}
	spin_unlock(&kmap_lock);
	return top;
}

void kstack_destroy(void *top)
{
	void **word = (void **)top - 1;

	spin_lock(&kmap_lock);
	*word = free_stacks;
	free_stacks = word;
	spin_unlock(&kmap_lock);
}

bool kstack_guard(uint64_t va)
{
	return va - (uint64_t)boot_stack_guard < PAGE ||
	       (va >= KSTACK_BASE && va < stack_next &&
		(va - KSTACK_BASE) % KSTACK_SLOT < PAGE);
}

void *mmio_map(uint64_t pa, uint64_t len)
{
	uint64_t first = pa & -PAGE, end = (pa + len + PAGE - 1) & -PAGE;

	spin_lock(&kmap_lock);
	assert(!kmap_present(mmio_next));
	void *at = (void *)(mmio_next + pa - first);
	map_range(mmio_next, first, end - first,
		  PTE_W | PTE_NX | PTE_PCD | PTE_PWT);
	mmio_next += end - first + PAGE; /* one page stays free */
	spin_unlock(&kmap_lock);
	return at;
}
