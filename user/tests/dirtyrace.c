/*
 * dirtyrace.c - the first store to a clean page, against its unmapping.
 *
 *   dirtyrace [--json] [seconds=N] [pages=N]
 *
 * The first store through a clean entry sets D in the PTE, in the very
 * moment in which reclaim may take the PTE out. If that is a read and then a
 * write of 0 instead of an exchange (Z22), the D bit, and with it the store,
 * is lost. Each round begins with all pages clean; then every other CPU
 * stores the round's number into each page while main has them reclaimed,
 * in an order of its own and spread over the time that the last reclaim took.
 * Exit status 1: a store is missing, or no page was written out.
 */
#include <string.h>

#include "user/lib/weir_user.h"

#define PAGE WEIR_PAGE_SIZE
#define MAXT 64

static uint64_t npages = 512, seconds = 3, rounds, lost;
static volatile uint64_t *region;
static volatile bool stop;
static struct ubarrier barrier;
static struct weir_system sys;

/* Each thread has a word of each page to itself. */
static volatile uint64_t *word(uint64_t page, unsigned id)
{
	return region + page * (PAGE / sizeof(*region)) + id;
}

/* How long the last reclaim took, in TSC cycles. */
static volatile uint64_t reclaim_cycles;

static uint64_t cycles(void)
{
	return __builtin_ia32_rdtsc();
}

/* Stores `round` into one word of every page. The odd stride is prime to the
 * number of pages, which is a power of two. */
static void store_round(unsigned id, uint64_t round)
{
	uint64_t stride = (round * 2654435761u + id * 40503u) | 1;
	uint64_t start = cycles(), pace = reclaim_cycles / npages;

	for (uint64_t i = 0; i < npages; i++) {
		while (cycles() - start < i * pace)
			;
		*word(i * stride % npages, id) = round;
	}
}

static void store(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;

	for (uint64_t round = 1;; round++) {
		ubarrier_wait(&barrier, id);
		if (stop)
			return;
		store_round(id, round);
		ubarrier_wait(&barrier, id);
	}
}

static void reclaim(void)
{
	uint64_t start = cycles();

	sys_sys_ctl(WEIR_CTL_RECLAIM, npages, 0);
	reclaim_cycles = cycles() - start;
}

/* Reads every word, which leaves the pages in memory and clean. */
static void check(uint64_t round)
{
	reclaim();
	reclaim();
	for (uint64_t p = 0; p < npages; p++)
		for (unsigned id = 1; id < sys.cpus; id++)
			lost += *word(p, id) != round;
}

static bool run(void)
{
	struct uthread *threads[MAXT];
	uint64_t end = now_ns() + seconds * 1000000000ull;
	struct counters before, after;

	counters_read(&before);
	if (ubarrier_init(&barrier, NULL, sys.cpus) < 0)
		return false;
	for (uintptr_t id = 1; id < sys.cpus; id++) {
		threads[id] = uthread_start(store, (void *)id, (int)id);
		if (!threads[id])
			return false;
	}
	check(0);
	while (now_ns() < end) {
		ubarrier_wait(&barrier, 0);
		reclaim();
		ubarrier_wait(&barrier, 0);
		check(++rounds);
	}
	stop = true;
	ubarrier_wait(&barrier, 0);
	for (unsigned id = 1; id < sys.cpus; id++)
		uthread_join(threads[id]);
	counters_read(&after);
	return lost == 0 && rounds &&
	       after.v[WEIR_C_pswpout] >= before.v[WEIR_C_pswpout] + npages;
}

static int usage(void)
{
	printf("usage: dirtyrace [--json] [seconds=N] [pages=N, a power of "
	       "two]\n");
	return STATUS_USAGE;
}

int main(int argc, char **argv)
{
	bool json = false, ok;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--json")) {
			json = true;
		} else if (!arg_u64(argv[i], "seconds", &seconds) &&
			   !arg_u64(argv[i], "pages", &npages)) {
			return usage();
		}
	if (!npages || npages & (npages - 1))
		return usage();
	system_read(&sys);
	region = sys.cpus > 1 ? pages_map(npages, NULL) : NULL;
	if (!region) {
		printf("dirtyrace: needs two CPUs and %llu pages\n",
		       (unsigned long long)npages);
		return 1;
	}
	ok = run();
	printf(json ? "{\"ncpu\":%u,\"pages\":%llu,\"rounds\":%llu,"
		      "\"lost\":%llu}\n" :
		      "%u CPUs, %llu pages, %llu rounds, %llu lost\n",
	       sys.cpus, (unsigned long long)npages,
	       (unsigned long long)rounds, (unsigned long long)lost);
	return !ok;
}
