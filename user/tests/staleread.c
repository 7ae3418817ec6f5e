/*
 * staleread.c - does a page ever show what belongs to somebody else?
 *
 *   staleread [--json] [seconds=N] [pages=N]
 *
 * Readers on every CPU read clean pages through their TLBs, so long that the
 * pages look idle; main has them reclaimed, again and again; and one more
 * thread takes the freed frames at once and fills them with other values. A
 * frame that is freed before the flush (Z2) shows these to a reader. Exit
 * status 1: a reader saw them.
 */
#include <string.h>

#include "user/lib/weir_user.h"

#define PAGE WEIR_PAGE_SIZE
#define MAXT 64
#define GREED 256 /* pages that the taker takes at a time */

static uint64_t npages = 128, seconds = 3, wrong, reads, taken;
static volatile uint64_t *region;
static volatile bool stop;
static struct weir_system sys;

static volatile uint64_t *word(volatile uint64_t *base, uint64_t page)
{
	return base + page * (PAGE / sizeof(*base));
}

static void read_all(void *arg)
{
	uint64_t n = 0, bad = 0;

	(void)arg;
	while (!stop)
		for (uint64_t p = 0; p < npages; p++, n++)
			bad += *word(region, p) != ~p;
	__atomic_add_fetch(&reads, n, __ATOMIC_RELAXED);
	__atomic_add_fetch(&wrong, bad, __ATOMIC_RELAXED);
}

static void take(void *arg)
{
	volatile uint64_t *mine;

	(void)arg;
	while (!stop) {
		mine = pages_map(GREED, NULL);
		for (uint64_t p = 0; mine && p < GREED; p++, taken++)
			*word(mine, p) = 1;
		if (mine)
			pages_unmap((void *)mine, GREED);
	}
}

static bool run(void)
{
	struct uthread *threads[MAXT + 1];
	uint64_t end = now_ns() + seconds * 1000000000ull;
	unsigned n = 0;

	threads[n] = uthread_start(take, NULL, -1);
	for (unsigned cpu = 0; threads[n] && cpu < sys.cpus; cpu++)
		threads[++n] = uthread_start(read_all, NULL, (int)cpu);
	if (!threads[n])
		return false;
	while (now_ns() < end)
		sys_sys_ctl(WEIR_CTL_RECLAIM, npages, 0);
	stop = true;
	for (unsigned i = 0; i <= n; i++)
		uthread_join(threads[i]);
	return wrong == 0 && reads && taken;
}

int main(int argc, char **argv)
{
	bool json = false, ok;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--json")) {
			json = true;
		} else if (!arg_u64(argv[i], "seconds", &seconds) &&
			   !arg_u64(argv[i], "pages", &npages)) {
			printf("usage: staleread [--json] [seconds=N] "
			       "[pages=N]\n");
			return STATUS_USAGE;
		}
	system_read(&sys);
	region = pages_map(npages, NULL);
	if (!region) {
		printf("staleread: no memory\n");
		return 1;
	}
	for (uint64_t p = 0; p < npages; p++)
		*word(region, p) = ~p;
	sys_sys_ctl(WEIR_CTL_RECLAIM, sys.frames_anon, 0);
	ok = run();
	printf(json ? "{\"ncpu\":%u,\"pages\":%llu,\"reads\":%llu,"
		      "\"taken\":%llu,\"wrong\":%llu}\n" :
		      "%u CPUs, %llu pages, %llu reads, %llu frames taken, "
		      "%llu wrong\n",
	       sys.cpus, (unsigned long long)npages,
	       (unsigned long long)reads, (unsigned long long)taken,
	       (unsigned long long)wrong);
	return !ok;
}
