/*
 * faults.c - faults made on purpose cost who asked, and nobody else (P6).
 *
 *   faults sites
 *   faults random FAULTS [rounds=N]
 *
 * sites: each place of the kernel that allocates fails in turn, in children
 * that make all calls that allocate: the child is told, or, where it touched
 * memory, dies of it; before and after that all its calls succeed. The place
 * must have been met, and in the end not a frame and not a slot is missing.
 * (Not here: what only a driver reaches, see blkio.c.) Needs swap=virtio.
 * random: children check their memory and make the same calls while anything
 * fails at the rates of FAULTS (user/lib/faults.h). A child may be killed for
 * want of memory or of a page, but none finds a wrong byte.
 * Beside both a thread of this task checks pages of its own, and has them
 * reclaimed all the time. Exit status 1: a line says what is not so.
 */
#include "user/tests/faults/exercise.h"

#include <stdio.h>
#include <string.h>

#include "kernel/abi/test.h"
#include "user/lib/faults.h"
#include "user/tests/account.h"
#include "user/tests/check.h"

#define WORDS (WEIR_PAGE_SIZE / 8)
#define STACKS 32
#define ROUNDS_MAX 5u
#define POINTS_MAX 64u
#define PAGES 256u   /* of the thread beside */
#define TOGETHER 4u  /* children at a time */
#define WORK_PAGES 300u
#define WORK_ROUNDS 12u

static uint64_t rounds = 8;

/* ---- pages that are checked ---------------------------------------------- */

static uint64_t word(uint64_t tag, uint64_t i)
{
	return (tag << 32 | i) * 0x9e3779b97f4a7c15ull;
}

static void paint(volatile uint64_t *page, uint64_t tag)
{
	for (uint64_t i = 0; i < WORDS; i++)
		page[i] = word(tag, i);
}

static bool intact(volatile uint64_t *page, uint64_t tag)
{
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < WORDS; i++)
		wrong += page[i] != word(tag, i);
	return wrong == 0;
}

static void reclaim(void)
{
	struct weir_system sys;

	system_read(&sys);
	sys_sys_ctl(WEIR_CTL_RECLAIM, sys.frames_anon / 4, 0);
}

static volatile uint64_t *own;
static struct uthread *thread;
static bool over; /* atomic */

static void beside(void *arg)
{
	(void)arg;
	for (uint64_t p = 0; p < PAGES; p++)
		paint(own + p * WORDS, p);
	for (uint64_t tag = PAGES; !__atomic_load_n(&over, __ATOMIC_RELAXED);
	     tag++) {
		volatile uint64_t *page = own + tag % PAGES * WORDS;

		CHECK(intact(page, tag - PAGES));
		paint(page, tag);
		if (tag % 16 == 0)
			reclaim();
	}
}

static void start_beside(void)
{
	__atomic_store_n(&over, false, __ATOMIC_RELAXED);
	thread = uthread_start(beside, NULL, -1);
	CHECK(thread);
}

/* Ends it, and counts what is left. */
static void count(struct account_sum *out)
{
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	if (thread)
		uthread_join(thread);
	CHECK(account_settle(out));
}

/* ---- children ------------------------------------------------------------ */

/* Where memory is touched, a fault may be the end. */
static bool is_deadly(const char *name)
{
	return strstr(name, "fault_bring") || strstr(name, "_prepare");
}

static bool is_silent(const char *name)
{
	return strstr(name, "readahead");
}

/* Whether exercise number `n` may come to the place: some have their own. */
static bool may_come(const char *name, unsigned n)
{
	bool stacks = strstr(name, "alloc_table");

	return stacks == (n == EXERCISE_STACKS) &&
	       is_silent(name) == (n == EXERCISE_AHEAD);
}

/* Faults of a child: a frame is missing, even if each of them loses no more
 * than the smallest piece of the heap. */
static unsigned times(const char *name)
{
	return is_deadly(name) || is_silent(name) ? 1 : WEIR_PAGE_SIZE / 64;
}

/* The place fails when exercise number `n` comes to it for the first time, if
 * it does; which it does always, or never. */
static int be_site(const char *name, unsigned n)
{
	char on[64], off[64];
	unsigned told;

	sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_SYSTEM, 1);
	snprintf(on, sizeof(on), "%s:1x1", name);
	snprintf(off, sizeof(off), "%s:0", name);
	CHECK(n == EXERCISE_STACKS || exercise(n) == 0);
	for (unsigned i = 0; i < times(name); i++) {
		uint64_t before = faults_injected(name);

		CHECK(!faults_set(on, true));
		told = exercise(n);
		CHECK(!faults_set(off, true));
		CHECK(told ==
		      (is_silent(name) ? 0 : faults_injected(name) - before));
	}
	CHECK(n == EXERCISE_STACKS || exercise(n) == 0);
	return failures > 0;
}

static int be_worker(void)
{
	volatile uint64_t *region = pages_map(WORK_PAGES, NULL);

	if (!region)
		return 0; /* it was told */
	for (uint64_t p = 0; p < WORK_PAGES; p++)
		paint(region + p * WORDS, p);
	for (uint64_t i = 1; i <= WORK_ROUNDS; i++) {
		exercise((unsigned)(i % EXERCISES));
		for (uint64_t p = 0; p < WORK_PAGES; p++) {
			CHECK(intact(region + p * WORDS,
				     i * WORK_PAGES + p - WORK_PAGES));
			paint(region + p * WORDS, i * WORK_PAGES + p);
		}
	}
	return failures > 0;
}

static bool start(char *argv[], struct child *child)
{
	const struct spawn_options options = { .privileged = true };
	bool good = spawn("faults", argv, &options, child) == 0;

	CHECK(good);
	return good;
}

static int end(struct child *child)
{
	int status = -1;

	CHECK(child_wait(child, &status) == 0);
	return status;
}

/* Nothing was lost, and nothing found. */
static void check_sums(const struct account_sum *a, const struct account_sum *b)
{
	CHECK(a->frames == b->frames && a->slots == b->slots);
	if (a->frames != b->frames || a->slots != b->slots)
		printf("faults: frames %llu, then %llu; slots %llu, then "
		       "%llu\n", (unsigned long long)a->frames,
		       (unsigned long long)b->frames,
		       (unsigned long long)a->slots,
		       (unsigned long long)b->slots);
}

/* ---- sites --------------------------------------------------------------- */

/* Whether the place failed, in a child that does exercise `n`. */
static bool try_site(char *name, unsigned n)
{
	uint64_t before = faults_injected(name), made;
	char word[16];
	char *argv[] = { "faults", "--site", name, word, NULL };
	struct child child;
	int status;

	snprintf(word, sizeof(word), "exercise=%u", n);
	if (!start(argv, &child))
		return false;
	status = end(&child);
	made = faults_injected(name) - before;
	/* 0: it was told, each time. */
	if ((status && !(status == STATUS_FAULT && made && is_deadly(name))) ||
	    (made && made != times(name))) {
		printf("faults: %s in %s: status %d, %llu faults\n", name, word,
		       status, (unsigned long long)made);
		failures++;
	}
	return made;
}

/* Each place in each exercise that comes to it; how many places failed. What
 * an exercise never comes to is tried once. */
static unsigned try_sites(void)
{
	static uint16_t left_out[POINTS_MAX]; /* exercises, a bit each */
	struct weir_fault_point p;
	unsigned places = 0;

	for (uint64_t i = 0; fault_point(i, &p) && i < POINTS_MAX; i++) {
		if (strncmp(p.name, "alloc-", 6) != 0 ||
		    strstr(p.name, "ports_create"))
			continue;
		for (unsigned n = 0; n < EXERCISES_ALL; n++)
			if (!(left_out[i] >> n & 1) &&
			    !(may_come(p.name, n) && try_site(p.name, n)))
				left_out[i] |= 1u << n;
		places++;
		if (left_out[i] != (1u << EXERCISES_ALL) - 1)
			continue;
		printf("faults: %s: no exercise comes there\n", p.name);
		failures++;
	}
	return places;
}

/* How the pieces lie that others keep on the heap may cost a frame now and
 * then; what is lost in each round never comes to an end. */
static void sites(void)
{
	struct account_sum before, after = { 0 };
	unsigned n = 0;

	for (unsigned i = 0; i < ROUNDS_MAX; i++) {
		before = after;
		start_beside();
		n = try_sites();
		count(&after);
		if (before.frames == after.frames &&
		    before.slots == after.slots)
			break;
	}
	check_sums(&before, &after);
	printf("faults: %u places failed in turn, %u checks failed\n", n,
	       failures);
}

/* ---- random -------------------------------------------------------------- */

static void run_workers(unsigned *good, unsigned *killed)
{
	struct child child[TOGETHER];
	unsigned started = 0;
	char *argv[] = { "faults", "--worker", NULL };
	int status;

	for (unsigned i = 0; i < TOGETHER; i++)
		started += start(argv, &child[started]);
	while (started) {
		status = end(&child[--started]);
		CHECK(status == 0 || status == STATUS_FAULT);
		*good += status == 0;
		*killed += status == STATUS_FAULT;
	}
}

static void random_faults(const char *text)
{
	unsigned good = 0, killed = 0;
	struct account_sum before, after = { 0 };
	struct counters c0, c1;

	/* This task, and who helps it to start others, is spared. */
	sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_SYSTEM, 1);
	for (unsigned i = 0; i < ROUNDS_MAX; i++) {
		before = after;
		counters_read(&c0);
		start_beside();
		CHECK(!faults_set(text, false));
		for (uint64_t k = 0; k < rounds; k++)
			run_workers(&good, &killed);
		CHECK(!faults_set("alloc:0,swap:0", false));
		count(&after);
		counters_read(&c1);
		if (before.frames == after.frames &&
		    before.slots == after.slots)
			break; /* as in sites() */
	}
	check_sums(&before, &after);
	CHECK(good && killed);
	printf("faults: %llu faults: %u children were killed, %u ended well, "
	       "%u failed\n", (unsigned long long)
	       (c1.v[WEIR_C_faults_injected] - c0.v[WEIR_C_faults_injected]),
	       killed, good, failures);
}

/* ---- start --------------------------------------------------------------- */

static int usage(void)
{
	printf("usage: faults sites | random FAULTS [rounds=N]\n");
	return STATUS_USAGE;
}

int main(int argc, char **argv)
{
	bool random = argc >= 3 && strcmp(argv[1], "random") == 0;
	uint64_t n;

	if (argc == 2 && strcmp(argv[1], "--worker") == 0)
		return be_worker();
	if (argc == 4 && strcmp(argv[1], "--site") == 0 &&
	    arg_u64(argv[3], "exercise", &n) && n < EXERCISES_ALL)
		return be_site(argv[2], (unsigned)n);
	if (random ? argc > 4 || (argc == 4 &&
				  !arg_u64(argv[3], "rounds", &rounds)) :
		     argc != 2 || strcmp(argv[1], "sites") != 0)
		return usage();
	own = pages_map(PAGES, NULL);
	CHECK(own && account_prime_stacks(STACKS));
	if (failures)
		return 1;
	if (random)
		random_faults(argv[2]);
	else
		sites();
	return failures > 0;
}
