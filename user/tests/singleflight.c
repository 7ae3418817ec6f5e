/*
 * singleflight.c - is a page read once, however many threads fault on it?
 *
 *   singleflight [--json] [threads=N] [pages=N]
 *
 * Pages are written and reclaimed; then all threads walk over them together
 * while the swap device takes its time. Each page may be read from its slot
 * once (Z27): two reads into two frames would make two truths of one page.
 * Exit status 1: a page was read twice, or its contents were wrong.
 */
#include <string.h>

#include "user/lib/weir_user.h"

#define PAGE WEIR_PAGE_SIZE
#define MAXT 16
#define DELAY_US 2000
#define OTHERS 16 /* pages of other tasks that may be read meanwhile */

static uint64_t nthreads = 4, npages = 200, wrong;
static volatile uint64_t *region;
static struct ubarrier barrier;

static volatile uint64_t *word(uint64_t page)
{
	return region + page * (PAGE / sizeof(*region));
}

static void walk(void *arg)
{
	ubarrier_wait(&barrier, (unsigned)(uintptr_t)arg);
	for (uint64_t p = 0; p < npages; p++)
		if (*word(p) != ~p)
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
}

/* Starts the threads but one, and is the last itself. */
static bool walk_together(void)
{
	struct uthread *threads[MAXT];

	if (ubarrier_init(&barrier, NULL, (unsigned)nthreads) < 0)
		return false;
	for (uint64_t i = 1; i < nthreads; i++) {
		threads[i] = uthread_start(walk, (void *)i, -1);
		if (!threads[i])
			return false;
	}
	walk(NULL);
	for (uint64_t i = 1; i < nthreads; i++)
		uthread_join(threads[i]);
	return true;
}

int main(int argc, char **argv)
{
	struct counters before, after;
	struct weir_system sys;
	uint64_t reads;
	bool json = false, ok;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--json")) {
			json = true;
		} else if (!arg_u64(argv[i], "threads", &nthreads) &&
			   !arg_u64(argv[i], "pages", &npages)) {
			printf("usage: singleflight [--json] [threads=N] "
			       "[pages=N]\n");
			return STATUS_USAGE;
		}
	region = nthreads && nthreads <= MAXT ? pages_map(npages, NULL) : NULL;
	if (!region) {
		printf("singleflight: no memory, or too many threads\n");
		return 1;
	}
	for (uint64_t p = 0; p < npages; p++)
		*word(p) = ~p;
	system_read(&sys);
	sys_sys_ctl(WEIR_CTL_RECLAIM, sys.frames_anon, 0);
	sys_sys_ctl(WEIR_CTL_DELAY, DELAY_US, 0);
	counters_read(&before);
	ok = walk_together();
	counters_read(&after);
	sys_sys_ctl(WEIR_CTL_DELAY, sys.delay_us, 0);
	reads = after.v[WEIR_C_pswpin] - before.v[WEIR_C_pswpin];
	ok = ok && !wrong && reads >= npages / 2 && reads <= npages + OTHERS;
	printf(json ? "{\"threads\":%llu,\"pages\":%llu,\"pswpin\":%llu,"
		      "\"wrong\":%llu,\"ok\":%s}\n" :
		      "%llu threads, %llu pages, %llu reads, %llu wrong: %s\n",
	       (unsigned long long)nthreads, (unsigned long long)npages,
	       (unsigned long long)reads, (unsigned long long)wrong,
	       json ? (ok ? "true" : "false") : (ok ? "good" : "BAD"));
	return !ok;
}
