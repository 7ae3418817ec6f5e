/*
 * flushcount.c - how many flush rounds does a page cost, by policy?
 *
 *   flushcount [--json] [pages=N]
 *
 * A thread on every other CPU runs in the space, so that each flush is a
 * round; then the main thread makes all pages dirty, or all clean, and asks
 * for reclaim. Of F frames freed:
 *   immediate     about F rounds, whatever the pages are
 *   batch-clean   about F dirty; at most F/24 clean
 *   batch-dirty   about F dirty (that is what Linux does); at most F/24
 *                 clean
 *   two-pass      at most F/24
 * Exit status 1: not so. "About" is from half to one and a quarter: while
 * another CPU runs the swap device's thread it need not be interrupted, and
 * a page or two of others is reclaimed as well.
 */
#include <string.h>

#include "user/lib/weir_user.h"

#define PAGE WEIR_PAGE_SIZE
#define SHARE 24 /* pages that share a round, at least */

static struct weir_system sys;
static volatile uint8_t *region;
static uint64_t npages = 1024;
static volatile bool stop;
static unsigned spinning; /* threads that run in the space by now */
static bool json;

static void spin(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&spinning, 1, __ATOMIC_RELEASE);
	while (!stop)
		__builtin_ia32_pause();
}

static uint64_t reclaim(uint64_t n)
{
	long freed = sys_sys_ctl(WEIR_CTL_RECLAIM, n, 0);

	return freed < 0 ? 0 : (uint64_t)freed;
}

static void touch(bool write)
{
	for (uint64_t p = 0; p < npages; p++)
		if (write)
			region[p * PAGE] = region[p * PAGE] + 1;
		else
			(void)region[p * PAGE];
}

/* All pages in memory, dirty; or each with a good copy in its slot. */
static void prepare(bool dirty)
{
	sys_sys_ctl(WEIR_CTL_POLICY, WEIR_TLB_TWO_PASS, 0);
	reclaim(2 * npages); /* what others have lying about goes first */
	touch(true);
	if (dirty)
		return;
	reclaim(2 * npages);
	touch(false);
}

static void measure(unsigned policy, struct counters *c)
{
	struct counters before, after;

	sys_sys_ctl(WEIR_CTL_POLICY, policy, 0);
	counters_read(&before);
	reclaim(npages / 4 * 3);
	counters_read(&after);
	counters_diff(c, &after, &before);
}

/* Are the rounds what the policy promises? */
static bool judge(unsigned policy, bool dirty, const struct counters *c)
{
	uint64_t freed = c->v[WEIR_C_pgsteal];
	uint64_t rounds = c->v[WEIR_C_nr_tlb_remote_flush];
	bool each = policy == WEIR_TLB_IMMEDIATE ||
		    (dirty && policy < WEIR_TLB_TWO_PASS);

	if (freed < npages / 2)
		return false; /* nothing was measured */
	if (sys.cpus == 1)
		return rounds == 0;
	if (each)
		return 2 * rounds >= freed && 4 * rounds <= 5 * freed + 64;
	return SHARE * rounds <= freed;
}

static bool row(unsigned policy, bool dirty)
{
	struct counters c;
	bool ok;

	prepare(dirty);
	measure(policy, &c);
	ok = judge(policy, dirty, &c);
	printf(json ? "{\"policy\":\"%s\",\"pages\":\"%s\",\"freed\":%llu,"
		      "\"pswpout\":%llu,\"rounds\":%llu,\"ipi_sent\":%llu,"
		      "\"ncpu\":%u,\"ok\":%s}\n" :
		      "%-11s %-5s %6llu %6llu %6llu %6llu %4u  %s\n",
	       policy_names[policy], dirty ? "dirty" : "clean",
	       (unsigned long long)c.v[WEIR_C_pgsteal],
	       (unsigned long long)c.v[WEIR_C_pswpout],
	       (unsigned long long)c.v[WEIR_C_nr_tlb_remote_flush],
	       (unsigned long long)c.v[WEIR_C_ipi_sent], sys.cpus,
	       json ? (ok ? "true" : "false") :
		      (ok ? "as promised" : "NOT as promised"));
	return ok;
}

static bool run(void)
{
	bool ok = true;

	if (!json)
		printf("%-11s %-5s %6s %6s %6s %6s %4s\n", "policy", "pages",
		       "freed", "out", "rounds", "IPIs", "CPUs");
	for (unsigned policy = 0; policy < WEIR_NPOLICIES; policy++) {
		ok &= row(policy, true);
		ok &= row(policy, false);
	}
	sys_sys_ctl(WEIR_CTL_POLICY, sys.policy, 0);
	return ok;
}

int main(int argc, char **argv)
{
	struct uthread *threads[64];
	bool ok;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--json")) {
			json = true;
		} else if (!arg_u64(argv[i], "pages", &npages) ||
			   npages < 64) {
			printf("usage: flushcount [--json] [pages=N, from "
			       "64]\n");
			return STATUS_USAGE;
		}
	system_read(&sys);
	region = pages_map(npages, NULL);
	uthread_pin(0);
	for (unsigned cpu = 1; region && cpu < sys.cpus; cpu++) {
		threads[cpu] = uthread_start(spin, NULL, cpu);
		if (!threads[cpu])
			region = NULL;
	}
	if (!region) {
		printf("flushcount: no memory\n");
		return 1;
	}
	while (__atomic_load_n(&spinning, __ATOMIC_ACQUIRE) + 1 < sys.cpus)
		sleep_ns(1000000);
	ok = run();
	stop = true;
	for (unsigned cpu = 1; cpu < sys.cpus; cpu++)
		uthread_join(threads[cpu]);
	return !ok;
}
