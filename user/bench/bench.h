/*
 * bench.h - what the workloads pass to each other: handles and results.
 *
 * `demo` starts `wl` and `lostwrite` as programs of their own and has them
 * leave their figures in a memory object instead of printing them; these two
 * start workers of their own. All handles travel in startup->extra.
 */
#pragma once

#include "user/lib/weir_user.h"

/* startup->extra: what the parent passes. */
enum bench_extra {
	EXTRA_SHARED, /* MemObj: barrier and results of the workers */
	EXTRA_NTFN0,  /* the barrier's notifications */
	EXTRA_NTFN1,
	EXTRA_REGION, /* MemObj that all work on */
	EXTRA_RESULT, /* MemObj for struct bench_result; 0: print instead */
};

#define BENCH_PHASES 5 /* wl's four, and its read-clean */
enum bench_phase_id {
	BENCH_POPULATE,
	BENCH_READ,
	BENCH_WRITE,
	BENCH_SWEEP,
	BENCH_CLEAN,
};

struct bench_phase {
	uint64_t ops, ns, bad;
	int64_t lost;
	struct counters count; /* what was counted during the phase */
};

struct bench_result {
	uint32_t phases; /* that are filled in */
	struct bench_phase phase[BENCH_PHASES];
	uint64_t increments, lost; /* lostwrite's */
};
#define BENCH_RESULT_PAGES 2
_Static_assert(sizeof(struct bench_result) <=
	       BENCH_RESULT_PAGES * WEIR_PAGE_SIZE, "does not fit");

/* The memory object that the parent passed as extra `slot`, mapped; NULL:
 * there is none. */
static inline void *bench_map_extra(enum bench_extra slot, uint64_t pages)
{
	handle_t mem = startup->extra[slot];
	long va = mem ? sys_mem_map(startup->self, mem, 0, 0, pages,
				    WEIR_P_READ | WEIR_P_WRITE) : 0;

	return va > 0 ? (void *)va : NULL;
}

/* Twice the memory that the allocator has, but so little that all of it
 * finds a slot and swap is not called tight (mm/swap.c); in pages. */
static inline uint64_t bench_default_pages(const struct weir_system *s)
{
	uint64_t most = s->swap_total / 16 * 13;
	uint64_t pages = 2 * s->frames_total;

	return pages < most ? pages : most;
}

/* Events per thousand, rounded. */
static inline uint64_t per_1000(uint64_t events, uint64_t of)
{
	return of ? (1000 * events + of / 2) / of : 0;
}
