/*
 * exhaust.c - a task takes all memory and swap, and dies of it; its parent
 * has lost no byte (P6).
 *
 *   exhaust [rounds=N]
 *
 * The parent's pages are a quarter of memory; half of them are on the swap
 * device before the child (`crash memory`) starts, and most will be when it
 * dies. Exit status 1: a page is not what it was, or the child's end is not
 * what it should be.
 */
#include <string.h>

#include "user/lib/weir_user.h"

#define WORDS (WEIR_PAGE_SIZE / 8)

static volatile uint64_t *region;
static uint64_t npages;

static void paint(uint64_t round)
{
	for (uint64_t i = 0; i < npages * WORDS; i++)
		region[i] = round << 32 | i;
}

/* Pages with a word that is not what was painted. */
static uint64_t wrong_pages(uint64_t round)
{
	uint64_t wrong = 0;

	for (uint64_t p = 0; p < npages; p++) {
		bool ok = true;

		for (uint64_t i = p * WORDS; i < (p + 1) * WORDS; i++)
			ok &= region[i] == (round << 32 | i);
		wrong += !ok;
	}
	return wrong;
}

/* One hog's life. Returns whether all was as it should be. */
static bool run(uint64_t round)
{
	char *argv[] = { "crash", "memory", NULL };
	struct child hog;
	uint64_t wrong;
	int status = -1;

	paint(round);
	sys_sys_ctl(WEIR_CTL_RECLAIM, npages / 2, 0);
	if (spawn("crash", argv, NULL, &hog) < 0) {
		printf("exhaust: cannot start %s\n", spawn_error());
		return false;
	}
	if (child_wait(&hog, &status) < 0 || status != STATUS_FAULT)
		printf("exhaust: the child's status is %d\n", status);
	wrong = wrong_pages(round);
	printf("exhaust: round %llu: %llu pages, %llu wrong\n",
	       (unsigned long long)round, (unsigned long long)npages,
	       (unsigned long long)wrong);
	return status == STATUS_FAULT && wrong == 0;
}

int main(int argc, char **argv)
{
	struct weir_system sys;
	uint64_t rounds = 2;

	if (argc > 2 || (argc == 2 && !arg_u64(argv[1], "rounds", &rounds))) {
		printf("usage: exhaust [rounds=N]\n");
		return STATUS_USAGE;
	}
	system_read(&sys);
	npages = sys.frames_total / 4;
	region = pages_map(npages, NULL);
	if (!region)
		return 1;
	for (uint64_t round = 1; round <= rounds; round++)
		if (!run(round))
			return 1;
	return 0;
}
