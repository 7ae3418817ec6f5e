/*
 * kreclaimd.h - what reclaim.c and kreclaimd.c share.
 */
#ifndef MM_KRECLAIMD_H
#define MM_KRECLAIMD_H

#include <stdbool.h>
#include <stdint.h>

void passes_init(void);

/* What a pass does with dirty pages that a pager keeps. */
enum paged_rule {
	PAGED_LEAVE, /* klaunderd is told of them */
	PAGED_GIVE,  /* gives them to the pager, and waits for it: klaunderd */
	PAGED_SWAP,  /* writes them to swap instead */
};

/* One pass; returns the frames freed. Sleeps; not within a pass. */
uint64_t one_pass(enum paged_rule paged);

/* There are dirty pages of pagers that must go. Thread context. */
void klaunderd_wake(void);

#endif
