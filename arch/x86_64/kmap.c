/*
 * kmap.c - pages mapped into the kernel half after boot: stacks, devices.
 *
 * kmap_lock guards the tables below the top level, the address counters and
 * the list of free stacks. Entries only ever go from absent to present, so
 * no TLB needs a flush, and readers need no lock. Lock order: kmap_lock,
 * then the frame allocator's.
 */
#include "arch/x86_64/kmap.h"

#include "arch/x86_64/paging.h"
#include "arch/x86_64/panic.h"
#include "arch/x86_64/spin.h"
#include "arch/x86_64/string.h"

#define PAGE 4096ull
#define KSTACK_SLOT ((KSTACK_PAGES + 1) * PAGE) /* the guard comes first */

extern char boot_stack_guard[];

static struct spinlock kmap_lock = SPINLOCK_INIT("kmap");
static uint64_t (*alloc_page)(void);
static uint64_t stack_next = KSTACK_BASE;
static uint64_t mmio_next = MMIO_BASE;
static void **free_stacks; /* linked through their topmost word */

void kmap_set_allocator(uint64_t (*alloc_page_pa)(void))
{
	alloc_page = alloc_page_pa;
	early_finish();
}

/* A zeroed page; 0: none left. */
static uint64_t new_page(void)
{
	uint64_t pa;

	if (!alloc_page)
		return early_alloc(1);
	pa = alloc_page();
	if (pa)
		memset(KVA(pa), 0, PAGE);
	return pa;
}

pte_t *kmap_cell(uint64_t pml4_pa, uint64_t va, unsigned shift, bool create)
{
	pte_t *table = KVA(pml4_pa);

	for (unsigned s = 39; s > shift; s -= 9) {
		pte_t *cell = &table[va >> s & 511];

		if (!(*cell & PTE_P)) {
			uint64_t pa = create ? new_page() : 0;

			if (!pa)
				return NULL;
			pte_xchg(cell, pa | PTE_P | PTE_W);
		}
		if (*cell & PTE_PS)
			return cell;
		table = KVA(pte_pa(*cell));
	}
	return &table[va >> shift & 511];
}

static pte_t *leaf(uint64_t va, bool create)
{
	return kmap_cell(kernel_pml4_pa, va, 12, create);
}

static bool map_locked(uint64_t va, uint64_t pa, uint64_t flags)
{
	pte_t *pte = leaf(va, true);

	if (!pte)
		return false;
	if (*pte & PTE_P)
		panic("kmap: %lx is mapped already", va);
	pte_xchg(pte, pa | flags | PTE_P | PTE_G | PTE_A |
		 (flags & PTE_W ? PTE_D : 0));
	return true;
}

bool kmap_present(uint64_t va)
{
	pte_t *pte;

	/* Canonical, and in the kernel half. */
	if (va >> 47 != 0x1ffff || !kernel_pml4_pa)
		return false;
	pte = leaf(va, false);
	return pte && (*pte & PTE_P);
}

/* A stack that failed half way keeps its pages for the next attempt. */
static void *stack_new(void)
{
	uint64_t base = stack_next + PAGE;

	for (unsigned i = 0; i < KSTACK_PAGES; i++) {
		uint64_t va = base + i * PAGE, pa;
		pte_t *pte = leaf(va, true);

		if (!pte)
			return NULL;
		if (*pte & PTE_P)
			continue;
		pa = new_page();
		if (!pa || !map_locked(va, pa, PTE_W | PTE_NX))
			return NULL;
	}
	stack_next += KSTACK_SLOT;
	return (void *)(base + KSTACK_PAGES * PAGE);
}

void *kstack_create(void)
{
	void **word, *top;

	spin_lock(&kmap_lock);
	word = free_stacks;
	if (word) {
		free_stacks = *word;
		top = word + 1;
	} else {
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
	if (va - (uint64_t)boot_stack_guard < PAGE)
		return true;
	return va >= KSTACK_BASE && va < stack_next &&
	       (va - KSTACK_BASE) % KSTACK_SLOT < PAGE;
}

void *mmio_map(uint64_t pa, uint64_t len)
{
	uint64_t first = pa & -PAGE, end = (pa + len + PAGE - 1) & -PAGE, va;

	spin_lock(&kmap_lock);
	va = mmio_next;
	/* One page stays free between two mappings. */
	mmio_next += end - first + PAGE;
	for (uint64_t at = first; at < end; at += PAGE)
		if (!map_locked(va + at - first, at, PTE_W | PTE_NX | PTE_PCD |
				PTE_PWT))
			panic("mmio: no memory for a page table");
	spin_unlock(&kmap_lock);
	return (void *)(va + pa - first);
}
