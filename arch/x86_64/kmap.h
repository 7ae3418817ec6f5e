/*
 * kmap.h - for arch only: what paging.c and kmap.c share.
 */
#ifndef ARCH_KMAP_H
#define ARCH_KMAP_H

/* early_alloc panics from now on. */
void early_finish(void);

#endif
