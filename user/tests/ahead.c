/*
 * ahead.c - which pages are read ahead, and are they what was written?
 *
 *   ahead [pages=N]
 *
 * Pages are written and reclaimed, and read back in several orders. In the
 * order of their addresses a fault must bring several; in any other none but
 * what is asked for. Exit status 1: it did not, or a page was wrong.
 */
#include "user/tests/check.h"

#define PAGE WEIR_PAGE_SIZE
#define MAXPAGES 4096
#define OTHERS 16 /* pages of other tasks that may be read meanwhile */

static uint64_t npages = 384;
static volatile uint64_t *region;
static uint64_t written[MAXPAGES]; /* what each page should hold */
static uint64_t faults, ahead; /* of the last walk */

static volatile uint64_t *word(uint64_t page)
{
	return region + page * (PAGE / sizeof(*region));
}

/* Every page is touched in the order of `nth`, after all were reclaimed; each
 * fourth is written to, so that there is something to lose. */
static void walk(const char *name, uint64_t (*nth)(uint64_t i), uint64_t most)
{
	struct counters before, after;
	struct weir_system sys;
	uint64_t wrong = 0;

	system_read(&sys);
	sys_sys_ctl(WEIR_CTL_RECLAIM, sys.frames_anon, 0);
	counters_read(&before);
	for (uint64_t i = 0; i < npages; i++) {
		uint64_t p = nth(i);

		wrong += *word(p) != written[p];
		if (p % 4 == 0)
			*word(p) = written[p] = p ^ written[p] * 3;
	}
	counters_read(&after);
	faults = after.v[WEIR_C_pgmajfault] - before.v[WEIR_C_pgmajfault];
	ahead = after.v[WEIR_C_swap_ra] - before.v[WEIR_C_swap_ra];
	printf("%-8s %llu faults, %llu pages ahead of them, %llu wrong\n",
	       name, (unsigned long long)faults, (unsigned long long)ahead,
	       (unsigned long long)wrong);
	CHECK(!wrong);
	CHECK(faults + ahead >= npages / 3); /* else nothing was reclaimed */
	CHECK(faults <= most + OTHERS);
}

static uint64_t forth(uint64_t i)
{
	return i;
}

/* Two runs, in turns. */
static uint64_t copy(uint64_t i)
{
	return i / 2 + i % 2 * (npages / 2);
}

static uint64_t back(uint64_t i)
{
	return npages - 1 - i;
}

/* Each other page, twice. */
static uint64_t stride(uint64_t i)
{
	return 2 * i % npages;
}

/* npages is no multiple of this prime. */
static uint64_t random_page(uint64_t i)
{
	return i * 7919 % npages;
}

int main(int argc, char **argv)
{
	struct weir_system sys;

	for (int i = 1; i < argc; i++)
		if (!arg_u64(argv[i], "pages", &npages)) {
			printf("usage: ahead [pages=N]\n");
			return STATUS_USAGE;
		}
	npages &= ~1ull;
	region = npages && npages <= MAXPAGES ? pages_map(npages, NULL) : NULL;
	if (!region) {
		printf("ahead: no memory, or too many pages\n");
		return 1;
	}
	for (uint64_t p = 0; p < npages; p++)
		*word(p) = written[p] = ~p;
	system_read(&sys);
	walk("forth", forth, npages / 4);
	walk("copy", copy, npages / 4);
	walk("back", back, npages);
	CHECK(ahead <= OTHERS);
	walk("stride", stride, npages);
	CHECK(ahead <= OTHERS);
	walk("random", random_page, npages);
	CHECK(ahead <= OTHERS);
	sys_sys_ctl(WEIR_CTL_READAHEAD, 0, 0);
	walk("off", forth, npages);
	sys_sys_ctl(WEIR_CTL_READAHEAD, sys.readahead, 0);
	CHECK(ahead == 0);
	return failures ? 1 : 0;
}
