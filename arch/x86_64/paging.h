/*
 * paging.h - page-table entries, the kernel's own tables, TLB instructions.
 *
 * Kernel layout (every user PML4 shares entries 256..511, whose next level
 * is allocated at boot and never changes):
 *   KVA_BASE      all usable RAM, NX; read-only over kernel text and rodata
 *   KSTACK_BASE   kernel stacks, an unmapped guard page under each
 *   MMIO_BASE     device memory, uncached
 *   KERNEL_BASE   the kernel image: text R-X, rodata R--, data RW-
 */
#pragma once

#include "arch/x86_64/cpu.h"

typedef uint64_t pte_t;

#define PTE_P (1ull << 0)   /* present */
#define PTE_W (1ull << 1)   /* writable */
#define PTE_U (1ull << 2)   /* user */
#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4) /* not cached */
#define PTE_A (1ull << 5)   /* accessed */
#define PTE_D (1ull << 6)   /* dirty */
#define PTE_PS (1ull << 7)  /* large page */
#define PTE_G (1ull << 8)   /* global: survives a CR3 reload */
#define PTE_NX (1ull << 63) /* no execution */
#define PTE_ADDR 0x000ffffffffff000ull

#define KVA_BASE 0xffff800000000000ull
#define KSTACK_BASE 0xffffc00000000000ull
#define MMIO_BASE 0xffffd00000000000ull
#define KERNEL_BASE 0xffffffff80000000ull

#define KSTACK_PAGES 4

/* The direct map. */
#define KVA(pa) ((void *)((uint64_t)(pa) + KVA_BASE))
#define PA(kva) ((uint64_t)(kva) - KVA_BASE)

/* Exchanges the entry in one locked step: no A or D that hardware sets gets
 * lost between reading and clearing. Returns the old one. */
static inline pte_t pte_xchg(pte_t *pte, pte_t v)
{
	return __atomic_exchange_n(pte, v, __ATOMIC_SEQ_CST);
}

static inline pte_t pte_or(pte_t *pte, pte_t bits)
{
	return __atomic_fetch_or(pte, bits, __ATOMIC_SEQ_CST);
}

static inline pte_t pte_and(pte_t *pte, pte_t mask)
{
	return __atomic_fetch_and(pte, mask, __ATOMIC_SEQ_CST);
}

static inline uint64_t pte_pa(pte_t pte)
{
	return pte & PTE_ADDR;
}

/* With pcid_on the entries of the TLB and of the paging-structure caches
 * carry the tag that CR3 had when they were made, and only those of its
 * present tag are used (SDM 3A 4.10.1). Loading CR3 empties the tag that it
 * loads, unless CR3_KEEP is given; all others stay. */
#define CR3_TAG 0xfffull
#define CR3_KEEP (1ull << 63)
extern bool pcid_on;

static inline void write_cr3(uint64_t v)
{
	__asm__ volatile("mov %0, %%cr3" :: "r"(v) : "memory");
}

/* Of the tag that is loaded, as is the next one. */
static inline void tlb_invlpg(uint64_t va)
{
	__asm__ volatile("invlpg (%0)" :: "r"(va) : "memory");
}

/* Everything but the kernel's global entries. */
static inline void tlb_flush_user(void)
{
	uint64_t cr3;

	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	if (pcid_on && cpu_features.invpcid) {
		struct { uint64_t tag, va; } of = { cr3 & CR3_TAG, 0 };

		__asm__ volatile("invpcid %0, %1" :: "m"(of), "r"(1ull)
				 : "memory");
	} else {
		write_cr3(cr3);
	}
}

/* The kernel's own PML4, empty in the user half. */
extern uint64_t kernel_pml4_pa;

/* Builds and loads the kernel's own tables. Boot, first CPU. */
void paging_init(void);

/* Is [pa, pa + len) usable RAM, in one entry of the memory map, that no other
 * entry reserves and no module lies in? */
bool ram_is_free(uint64_t pa, uint64_t len);

/* Is `va` mapped in the kernel's tables? Takes no lock. */
bool kmap_present(uint64_t va);

/* From now on tables and stacks come from `alloc_page_pa`, which zeroes them
 * (0: none left), and early_alloc is over. */
void kmap_set_allocator(uint64_t (*alloc_page_pa)(void));

/* Boot, before kmap_set_allocator: `npages` zeroed contiguous pages; never
 * given back. They come in ascending order, from the end of the image to
 * 4 GiB; panics when there are none. */
uint64_t early_alloc(uint64_t npages);
/* All that early_alloc gave, and the kernel image, is below this address. */
uint64_t early_end(void);

/* A kernel stack of KSTACK_PAGES over a guard page: its top, 16-aligned;
 * NULL: out of memory, or there are `most`, for what is memory of a stack
 * once is so for good. Needs the allocator. Any context. */
void *kstack_create(uint64_t most);
/* Gives a stack back, for reuse, while nobody runs on it. */
void kstack_destroy(void *top);
/* Is `va` in the guard page of a kernel stack? */
bool kstack_guard(uint64_t va);

/* Maps device memory, uncached, for good; any alignment. */
void *mmio_map(uint64_t pa, uint64_t len);
