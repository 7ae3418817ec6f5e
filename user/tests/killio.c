/*
 * killio.c - tasks that are killed while their pages are on the way to the
 * swap device, or back, leave no frame and no slot behind (P4).
 *
 *   killio [seed=N] [rounds=N]
 *
 * Children dirty more memory than there is, from two threads, and are killed
 * at a random time; the swap device should be slow (delay=). Afterwards the
 * counts must be exactly what they were. Frames: free ones, and those with
 * pages of living tasks; the rest is the kernel's. Slots: reclaim gives each
 * page of a living task one and leaves it there, so once all was asked for
 * the count is that of their pages. A few rounds come first, for what is
 * kept on purpose: tables of this task, the kernel heap's partial frames.
 * Exit status 1: something is lost, or was found.
 */
#include <string.h>

#include "user/lib/weir_user.h"
#include "user/tests/account.h"

#define WARM_UP 6
#define STACKS 8   /* more threads than there will be at a time */
#define YIELDS 1000000  /* until there must be IO */
#define LONGEST_NS 30000000ull

static uint64_t state = 1, npages;
static char *region;

static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void dirty_all(void *arg)
{
	for (uint64_t p = (uintptr_t)arg;; p = (p + 1) % npages)
		region[p * WEIR_PAGE_SIZE]++;
}

static int child_main(void)
{
	struct weir_system sys;

	system_read(&sys);
	npages = sys.frames_total * 5 / 4;
	region = pages_map(npages, NULL);
	if (!region || !uthread_start(dirty_all, (void *)(npages / 2), -1))
		return 1;
	dirty_all(NULL);
	return 1;
}

static uint64_t pages_out(void)
{
	struct counters c;

	counters_read(&c);
	return c.v[WEIR_C_pswpout];
}

/* A random time; three times of four it begins with the first write. */
static void wait_a_while(void)
{
	uint64_t before = pages_out(), r = random64();

	for (unsigned i = 0; r % 4 && i < YIELDS && pages_out() == before; i++)
		uthread_yield();
	sleep_ns(r / 4 % LONGEST_NS);
}

/* One child's life. False: it did not end as it should. */
static bool run(void)
{
	char *argv[] = { "killio", "child", NULL };
	struct spawn_options options = { .no_console = true };
	struct child child;
	int status = -1;

	if (spawn("killio", argv, &options, &child) < 0) {
		printf("killio: cannot start %s\n", spawn_error());
		return false;
	}
	wait_a_while();
	if (sys_task_kill(child.task, 42) < 0 ||
	    child_wait(&child, &status) < 0 || status != 42) {
		printf("killio: the child's status is %d\n", status);
		return false;
	}
	return true;
}

static bool run_all(uint64_t rounds, struct account_sum *after)
{
	bool ok = true;

	for (uint64_t i = 0; ok && i < rounds; i++)
		ok = run();
	if (ok && !account_settle(after)) {
		printf("killio: the counts do not settle\n");
		ok = false;
	}
	return ok;
}

int main(int argc, char **argv)
{
	struct account_sum before, after;
	struct counters c0, c1;
	uint64_t rounds = 16, seed = 1;
	bool ok;

	if (argc == 2 && strcmp(argv[1], "child") == 0)
		return child_main();
	for (int i = 1; i < argc; i++)
		if (!arg_u64(argv[i], "seed", &seed) &&
		    !arg_u64(argv[i], "rounds", &rounds)) {
			printf("usage: killio [seed=N] [rounds=N]\n");
			return STATUS_USAGE;
		}
	printf("killio seed=%llu rounds=%llu\n", (unsigned long long)seed,
	       (unsigned long long)rounds);
	state = seed ? seed : 1;
	if (!account_prime_stacks(STACKS) || !run_all(WARM_UP, &before))
		return 1;
	counters_read(&c0);
	if (!run_all(rounds, &after))
		return 1;
	counters_read(&c1);
	ok = before.frames == after.frames && before.slots == after.slots;
	printf("killio: %llu pages out, %llu in; frames %llu, then %llu; "
	       "slots %llu, then %llu: %s\n",
	       (unsigned long long)(c1.v[WEIR_C_pswpout] -
				    c0.v[WEIR_C_pswpout]),
	       (unsigned long long)(c1.v[WEIR_C_pswpin] -
				    c0.v[WEIR_C_pswpin]),
	       (unsigned long long)before.frames,
	       (unsigned long long)after.frames,
	       (unsigned long long)before.slots,
	       (unsigned long long)after.slots, ok ? "good" : "BAD");
	return !ok;
}
