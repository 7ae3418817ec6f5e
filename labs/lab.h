/*
 * lab.h - what the test programs of the labs share: parts of a whole.
 *
 * A program counts with CHECK (user/tests/check.h). Where a test has parts
 * that are worth something alone it says so with lab_part, once for each,
 * and ends with lab_end.
 */
#pragma once

#include <string.h>

#include "kernel/abi/test.h"
#include "user/tests/account.h"
#include "user/tests/check.h"

static unsigned parts, parts_good;
static unsigned part_began; /* failures at the begin of the part */

/* The part that began at the last lab_part, or at the start, is over. */
static inline void lab_part(const char *name)
{
	bool good = failures == part_began;

	parts++;
	parts_good += good;
	part_began = failures;
	printf("%-10s %s\n", name, good ? "good" : "NOT good");
	out_flush(); /* the next one may end badly */
}

/* Tells how many parts are good; the exit status. */
static inline int lab_end(void)
{
	printf("%u of %u parts are good\n", parts_good, parts);
	part(parts_good, parts);
	return failures || parts_good != parts ? 1 : 0;
}

/* What a program's first argument chooses. */
struct lab_scene {
	const char *name; /* NULL: no more */
	void (*play)(void);
};

/* Plays the scene that is the one argument; the exit status. No page comes
 * back that was not asked for. */
static inline int lab_play(int argc, char **argv,
			   const struct lab_scene *scenes)
{
	for (; argc == 2 && scenes->name; scenes++)
		if (strcmp(argv[1], scenes->name) == 0) {
			sys_sys_ctl(WEIR_CTL_READAHEAD, 0, 0);
			scenes->play();
			return lab_end();
		}
	return STATUS_USAGE;
}

/* Whether an entry for the address is there. Needs a privileged shell. */
static inline bool present(volatile void *va)
{
	return sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_LOOK, (uintptr_t)va) &
	       WEIR_PTE_PRESENT;
}

/* Reads `n` pages; how many had gone. */
static inline uint64_t pages_gone(volatile uint64_t *at, uint64_t n)
{
	uint64_t gone = 0;

	for (uint64_t i = 0; i < n; i++, at += WEIR_PAGE_SIZE / 8) {
		gone += !present(at);
		(void)*at;
	}
	return gone;
}

/* All that can be is reclaimed, whatever was used lately. */
static inline void reclaim_all(void)
{
	struct weir_system sys;

	for (unsigned i = 0; i < 4; i++)
		account_reclaim(&sys);
}
