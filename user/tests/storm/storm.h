/*
 * storm.h - what the parts of the paging storm share.
 */
#pragma once

#include "user/lib/weir_user.h"

#define PAGE WEIR_PAGE_SIZE
#define WORDS (PAGE / sizeof(uint64_t))
#define STORM_CELLS 8u /* in each page of the paged object: one a thread */
#define STORM_FOLDER "/storm"

enum role { ROLE_ANON, ROLE_PAGED, ROLE_FILES, ROLE_MAPS, ROLES };

/* startup->extra of its tasks. */
enum storm_extra {
	EXTRA_STORM, /* MemObj: struct storm */
	EXTRA_PAGED, /* MemObj: the paged object */
	EXTRA_PAGER, /* its pager's handles, only for that */
	EXTRA_NTFN,
};

/* In memory that all share. */
struct storm {
	/* Constant once the tasks run. */
	uint64_t seed;
	uint64_t tasks;       /* of each role, with two threads each */
	uint64_t anon_pages;  /* of each thread */
	uint64_t paged_pages; /* of the paged object */
	uint64_t cpus;

	/* Atomic. */
	uint64_t stop;        /* time to look at everything once more */
	uint64_t ops, checks, wrong;
};

/* A thread. */
struct worker {
	struct storm *storm;
	enum role role;
	unsigned id; /* in its role */
	uint64_t random;
	uint64_t ops, checks;
};

/* Counts; what is not as it must be goes to the log, with `where`. Returns
 * `good`. */
bool storm_check(struct worker *w, bool good, const char *what,
		 uint64_t where);
uint64_t storm_random(struct worker *w, uint64_t below);
bool storm_stopped(struct worker *w);

/* Word `i` of a page whose contents are those of `key`. */
static inline uint64_t storm_word(uint64_t key, uint64_t i)
{
	return (key * WORDS + i) * 0x9e3779b97f4a7c15ull + 1;
}

/* Where in page `page` of the paged object the cell of thread `id` is. */
static inline uint64_t storm_cell(uint64_t page, unsigned id)
{
	return (page * 7 + id * 61) % WORDS;
}
static inline bool storm_is_cell(uint64_t page, uint64_t word)
{
	for (unsigned id = 0; id < STORM_CELLS; id++)
		if (storm_cell(page, id) == word)
			return true;
	return false;
}

/* The roles; each returns when it is time to stop and everything was looked
 * at once more. */
void storm_anon(struct worker *w);
void storm_paged(struct worker *w);
void storm_files(struct worker *w);
void storm_maps(struct worker *w);
int storm_pager(struct storm *storm);
