/*
 * kmap.h - for arch only: what paging.c and kmap.c share.
 */
#ifndef ARCH_KMAP_H
#define ARCH_KMAP_H

#include "arch/x86_64/paging.h"

/* early_alloc panics from now on. */
void early_finish(void);

/* The entry for `va` in a kernel root that maps pages of 1 << shift (12, 21
 * or 30), or that of a larger page over it. NULL: a table is missing and, if
 * `create`, none is to be had. */
pte_t *kmap_cell(uint64_t pml4_pa, uint64_t va, unsigned shift, bool create);

#endif
