/* Host stand-in: see shim.h. */
#ifndef ARCH_PAGING_H
#define ARCH_PAGING_H
#include <stdint.h>
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
uint64_t early_alloc(uint64_t npages);
uint64_t early_end(void);
#endif
