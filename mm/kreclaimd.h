/*
 * kreclaimd.h - what reclaim.c and kreclaimd.c share.
 */
#ifndef MM_KRECLAIMD_H
#define MM_KRECLAIMD_H

#include <stdbool.h>
#include <stdint.h>

void passes_init(void);

/* One pass; with `launders` it may give pages to pagers, and wait for them.
 * Returns the frames freed. Sleeps; not within a pass. */
uint64_t one_pass(bool launders);

/* There are dirty pages of pagers that must go. Thread context. */
void klaunderd_wake(void);

#endif
