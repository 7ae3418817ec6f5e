/*
 * store.h - a pager with a store, for tests of paged objects: what was written
 * to a page, else a pattern.
 */
#pragma once

#include <string.h>

#include "user/lib/pager.h"
#include "user/tests/check.h"

#define PAGE WEIR_PAGE_SIZE
#define WORDS (PAGE / sizeof(uint64_t))
#define STORE_STEP 73u /* between words that are looked at */
#define SHORT_NS 300000000ull /* a deadline that a test can wait for */

static uint64_t *store;
static bool *stored;

static inline uint64_t pattern(uint64_t page, uint64_t word)
{
	return (page * WORDS + word) * 0x9e3779b97f4a7c15ull + 1;
}

static inline void fill(uint64_t *words, uint64_t page)
{
	for (uint64_t i = 0; i < WORDS; i++)
		words[i] = pattern(page, i);
}

static inline long store_read(void *arg, uint64_t page, void *bytes)
{
	(void)arg;
	if (stored[page])
		memcpy(bytes, store + page * WORDS, PAGE);
	else
		fill(bytes, page);
	return 0;
}

static inline long store_write(void *arg, uint64_t page, const void *bytes)
{
	(void)arg;
	memcpy(store + page * WORDS, bytes, PAGE);
	stored[page] = true;
	return 0;
}

/* How a pager fails those who give it a dirty page. */
enum failing { REFUSES, HANGS, DIES };

static inline long refuse_write(void *arg, uint64_t page, const void *bytes)
{
	(void)arg, (void)page, (void)bytes;
	return -1;
}

static inline long hang_write(void *arg, uint64_t page, const void *bytes)
{
	(void)arg, (void)page, (void)bytes;
	sleep_ns(3 * SHORT_NS);
	return 0;
}

static inline long plain_read(void *arg, uint64_t page, void *bytes)
{
	(void)arg;
	fill(bytes, page);
	return 0;
}

/* Reads all; `extra` is what word STORE_STEP of each page has on top. */
static inline uint64_t count_wrong(volatile uint64_t *m, uint64_t npages,
				   uint64_t extra)
{
	uint64_t wrong = 0;

	for (uint64_t p = 0; p < npages; p++)
		for (uint64_t i = 0; i < WORDS; i += STORE_STEP)
			wrong += m[p * WORDS + i] != pattern(p, i) +
				 (i == STORE_STEP ? extra : 0);
	return wrong;
}

/* Asks for pages until a counter has grown by `n`: klaunderd and pagers take
 * their time. False: it does not. */
static inline bool reclaim_until(enum weir_counter c, uint64_t n)
{
	uint64_t end = counter(c) + n;
	struct weir_system sys;

	system_read(&sys);
	for (unsigned i = 0; i < 2000; i++) {
		if (counter(c) >= end)
			return true;
		sys_sys_ctl(WEIR_CTL_RECLAIM, sys.frames_total, 0);
		sleep_ns(1000000);
	}
	return false;
}
