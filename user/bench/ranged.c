/*
 * ranged.c - up to how many pages is it cheaper to flush one by one?
 *
 *   ranged [--json] [work=PAGES] [rounds=N]
 *
 * A range of 1 to 512 pages, all of which the TLB has, loses its write
 * permission; then the thread reads its working set, which a full flush has
 * cost its entries, too. Both ways take turns; the medians are compared.
 */
#include <stdlib.h>
#include <string.h>

#include "user/lib/weir_user.h"

#define PAGE WEIR_PAGE_SIZE
#define RANGE 512u /* the most that can be flushed one by one */
#define WORK_MAX 4096u
#define ROUNDS_MAX 1000u

static uint64_t work = 64, rounds = 101;
static volatile char *range, *set;
static bool json;

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void protect(uint64_t npages, uint64_t prot)
{
	long status = sys_mem_protect(startup->self, (uintptr_t)range, npages,
				      prot);

	if (status < 0) {
		printf("ranged: %s\n", weir_strerror(status));
		exit(1);
	}
}

static void read_set(void)
{
	for (uint64_t i = 0; i < work; i++)
		(void)set[i * PAGE];
}

/* One round; ns. */
static uint64_t flush_cost(uint64_t npages, uint64_t ranged)
{
	uint64_t start;

	sys_sys_ctl(WEIR_CTL_RANGED, ranged, 0);
	protect(npages, WEIR_P_READ | WEIR_P_WRITE);
	for (uint64_t i = 0; i < npages; i++)
		range[i * PAGE] = 1;
	read_set();
	start = now_ns();
	protect(npages, WEIR_P_READ);
	read_set();
	return now_ns() - start;
}

static void compare(uint64_t npages)
{
	static uint64_t one_by_one[ROUNDS_MAX], all[ROUNDS_MAX];

	for (uint64_t i = 0; i < rounds; i++) {
		one_by_one[i] = flush_cost(npages, RANGE);
		all[i] = flush_cost(npages, 0);
	}
	qsort(one_by_one, rounds, sizeof(*one_by_one), by_size);
	qsort(all, rounds, sizeof(*all), by_size);
	printf(json ? "{\"phase\":\"read-%llu\",\"pages\":%llu,\"dirty\":null,"
		      "\"bad\":0,\"lost\":0,\"one_by_one_ns\":%llu,"
		      "\"all_ns\":%llu}\n" :
		      "working set of %4llu, %3llu pages one by one: %7llu "
		      "ns, all: %7llu ns\n",
	       (unsigned long long)work, (unsigned long long)npages,
	       (unsigned long long)one_by_one[rounds / 2],
	       (unsigned long long)all[rounds / 2]);
}

int main(int argc, char **argv)
{
	struct weir_system sys;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--json")) {
			json = true;
		} else if (!arg_u64(argv[i], "work", &work) &&
			   !arg_u64(argv[i], "rounds", &rounds)) {
			printf("usage: ranged [--json] [work=PAGES] "
			       "[rounds=N]\n");
			return STATUS_USAGE;
		}
	if (!rounds || rounds > ROUNDS_MAX || work > WORK_MAX) {
		printf("ranged: rounds is 1 to %u, work 0 to %u\n", ROUNDS_MAX,
		       WORK_MAX);
		return STATUS_USAGE;
	}
	range = pages_map(RANGE, NULL);
	set = pages_map(work ? work : 1, NULL);
	if (!range || !set) {
		printf("ranged: no memory\n");
		return 1;
	}
	for (uint64_t i = 0; i < work; i++)
		set[i * PAGE] = 1;
	system_read(&sys);
	for (uint64_t n = 1; n <= RANGE; n *= 2)
		compare(n);
	sys_sys_ctl(WEIR_CTL_RANGED, sys.ranged, 0);
	return 0;
}
