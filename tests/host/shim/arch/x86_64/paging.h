/* Host stand-in: see shim.h. */
#pragma once
#include "arch/x86_64/cpu.h"
#include "shim.h"
typedef uint64_t pte_t;
#define PTE_P 1ull
#define PTE_W 2ull
#define PTE_U 4ull
#define PTE_A 0x20ull
#define PTE_D 0x40ull
#define PTE_PS 0x80ull
#define PTE_G 0x100ull
#define PTE_NX (1ull << 63)
#define KVA(pa) ((void *)(shim_ram + (pa)))
#define PA(kva) ((uint64_t)((char *)(uintptr_t)(kva) - shim_ram))
static inline uint64_t pte_pa(pte_t e) { return e & 0xffffffffff000ull; }
static inline pte_t pte_xchg(pte_t *p, pte_t new)
{
	return __atomic_exchange_n(p, new, __ATOMIC_SEQ_CST);
}
static inline pte_t pte_or(pte_t *p, pte_t bits)
{
	return __atomic_fetch_or(p, bits, __ATOMIC_SEQ_CST);
}
static inline pte_t pte_and(pte_t *p, pte_t mask)
{
	return __atomic_fetch_and(p, mask, __ATOMIC_SEQ_CST);
}
/* The driver that needs them plays the TLB. */
#define CR3_TAG 0xfffull
#define CR3_KEEP (1ull << 63)
extern bool pcid_on;
void pcid_enable(void);
extern uint64_t kernel_pml4_pa;
void write_cr3(uint64_t v);
void tlb_invlpg(uint64_t va);
void tlb_flush_user(void);
uint64_t early_alloc(uint64_t npages);
uint64_t early_end(void);
