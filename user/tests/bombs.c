/*
 * bombs.c - programs that take all there is of something, from the shell.
 *
 *   bombs [seed=N] [KIND...]
 *
 * For each kind a shell runs `bombs --KIND`, which goes on until it is told
 * no, or is killed; then the same shell must be able to run other programs.
 * Meanwhile memory of this task is read and written all the time, through the
 * swap device, and must be what it was. Afterwards frames, slots, handles and
 * tasks must be what they were: the first round is for what is kept on
 * purpose, which is the stacks of threads, a quarter of memory at most. This
 * task is a system task: it may use the last frames, as whoever has to go on
 * (P6); any other that asks for memory when there is none may be the one that
 * is told so.
 * Exit status 1: something was not so.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/abi/test.h"
#include "user/tests/account.h"
#include "user/tests/bombs/bombs.h"
#include "user/tests/check.h"

#define ROUNDS 8u
#define TRIES 2000u
#define SETTLED 4u /* equal counts in a row */
#define WORDS (WEIR_PAGE_SIZE / 8)

static uint64_t seed = 1;
static struct weir_system sys;

/* --- memory of who has nothing to do with it ------------------------------ */
static volatile uint64_t *words;
static uint64_t nwords;
static bool stop;     /* atomic */
static uint64_t lost; /* atomic: words that were not what they must be */
static uint64_t passes;

/* Each word is its place times a number plus how often it was changed. */
static void watch(void *arg)
{
	(void)arg;
	for (uint64_t n = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); n++) {
		for (uint64_t i = 0; i < nwords; i++) {
			if (words[i] != (i + 1) * 0x9e3779b97f4a7c15ull + n)
				__atomic_add_fetch(&lost, 1, __ATOMIC_RELAXED);
			words[i]++;
		}
		__atomic_store_n(&passes, n + 1, __ATOMIC_RELAXED);
	}
}

static void fill(void)
{
	for (uint64_t i = 0; i < nwords; i++)
		words[i] = (i + 1) * 0x9e3779b97f4a7c15ull;
}

static struct uthread *watch_start(void)
{
	fill();
	stop = false;
	return uthread_start(watch, NULL, -1);
}

/* --- counts --------------------------------------------------------------- */
struct counts {
	uint64_t frames, slots, handles, ntasks;
};

static void count(struct counts *c)
{
	struct weir_task task;

	memset(c, 0, sizeof(*c));
	account_reclaim(&sys);
	c->frames = sys.frames_free + sys.frames_anon;
	c->slots = sys.swap_free;
	c->handles = account_handles();
	while (sys_sys_info(WEIR_INFO_TASK, c->ntasks, &task,
			    sizeof(task)) > 0)
		c->ntasks++;
}

/* Until all that dies is dead, and the audit found all at rest. */
static void settle(struct counts *c)
{
	struct counts last = { 0 };
	unsigned same = 0;
	bool audited = false;

	for (unsigned i = 0; i < TRIES && !(same >= SETTLED && audited); i++) {
		count(c);
		same = memcmp(c, &last, sizeof(last)) ? 0 : same + 1;
		last = *c;
		sleep_ns(1000000);
		audited |= sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_AUDIT, 0) !=
			   -WEIR_EBUSY;
	}
	CHECK(same >= SETTLED && audited);
}

/* --- one kind ------------------------------------------------------------- */

/* What the shell runs. A bomb that does not end by itself is a job, which is
 * ended when it has a lot; then there must be room for others. */
static void shell_text(char *text, size_t size, const struct bomb *b)
{
	snprintf(text, size, b->endless ?
		 "bombs --%s seed=%llu & bombs --until; kill 1; wait 1" :
		 "bombs --%s seed=%llu",
		 b->name, (unsigned long long)seed);
	snprintf(text + strlen(text), size - strlen(text),
		 "; echo %s: $?; seq 1 1000 | grep 99 | wc > /bombs; "
		 "grep '19 19 75' < /bombs && rm /bombs", b->name);
}

/* The shell is a system task, as init's is. */
static void run_shell(const struct bomb *b)
{
	const struct spawn_options system = { .system = true };
	char text[256];
	char *argv[] = { "shell", "-c", text, NULL };
	struct child child;
	int status = -1;

	shell_text(text, sizeof(text), b);
	if (spawn("shell", argv, &system, &child) < 0)
		printf("bombs: %s\n", spawn_error());
	else
		child_wait(&child, &status);
	CHECK(status == 0);
}

/* Until a round has left all as the one before did: what is lost each time is
 * never found that way. */
static void run(const struct bomb *b)
{
	struct counts first, last, now = { 0 };
	bool same = false;

	fill(); /* else it has no slots */
	settle(&first);

	for (uint64_t round = 1; round <= ROUNDS && !same; round++) {
		struct uthread *t = watch_start();

		CHECK(t);
		run_shell(b);
		__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
		uthread_join(t);
		last = now;
		settle(&now);
		same = memcmp(&last, &now, sizeof(now)) == 0;
		printf("bombs: %s: %llu frames, %llu free slots, %llu free "
		       "handles, %llu tasks; %llu passes, %llu lost\n",
		       b->name, (unsigned long long)now.frames,
		       (unsigned long long)now.slots,
		       (unsigned long long)now.handles,
		       (unsigned long long)now.ntasks,
		       (unsigned long long)passes, (unsigned long long)lost);
	}
	CHECK(same && lost == 0);
	CHECK(now.frames + sys.frames_total / 4 >= first.frames);
}

static bool chosen(const char *name, int argc, char **argv)
{
	bool any = false;
	uint64_t n;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], name) == 0)
			return true;
		any |= !arg_u64(argv[i], "seed", &n);
	}
	return !any;
}

/* The last of the list has no name, and is what waits for the others. */
static const struct bomb *named(const char *name)
{
	const struct bomb *b = bombs;

	while (b->name && strcmp(b->name, name) != 0)
		b++;
	return b;
}

int main(int argc, char **argv)
{
	system_read(&sys);
	seed = sys.seed;
	for (int i = 1; i < argc; i++)
		arg_u64(argv[i], "seed", &seed);
	if (argc > 1 && strncmp(argv[1], "--", 2) == 0)
		return named(argv[1] + 2)->run(seed);
	printf("bombs: seed=%llu\n", (unsigned long long)seed);
	sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_SYSTEM, 1);
	nwords = sys.frames_total / 8 * WORDS;
	words = pages_map(nwords / WORDS, NULL);
	if (!words || !account_prime_stacks(ACCOUNT_STACKS_MAX))
		return STATUS_START;
	for (const struct bomb *b = bombs; b->name; b++)
		if (chosen(b->name, argc, argv))
			run(b);
	printf("bombs: %u checks, %u failed\n", checks, failures);
	return failures ? 1 : 0;
}
