/*
 * audit.c - runs a program while the kernel audits itself (check=audit).
 *
 *   audit [ms=N] [PROGRAM [ARGUMENT...]]
 *   audit leak
 *
 * An audit every N ms, 20 if nothing is said, beside the kernel's own; one at
 * the end that finds all at rest, so that every count has to be equal. The
 * program has a quota, which is all there is: the kernel asserts that what was
 * charged is given back with it.
 * The exit status is the program's, or 1: nothing came to rest, or there is no
 * check=audit. `leak` loses a slot, which the kernel must find: it panics.
 */
#include <string.h>

#include "kernel/abi/test.h"
#include "user/lib/weir_user.h"

#define TRIES 200u
#define NS_PER_MS 1000000ull
#define PRIO 31 /* else a busy CPU never comes to it */

static uint64_t period_ms = 20;
static bool over;

/* The number of audits, or an error; EBUSY: things were under way. */
static long audit(void)
{
	return sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_AUDIT, 0);
}

static void audit_on(void *arg)
{
	(void)arg;
	sys_thread_ctl(0, WEIR_THREAD_PRIO, PRIO);
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		audit();
		sleep_ns(period_ms * NS_PER_MS);
	}
}

static long audit_at_rest(void)
{
	long n = audit();

	for (unsigned i = 0; i < TRIES && n == -WEIR_EBUSY; i++) {
		sleep_ns(10 * NS_PER_MS);
		n = audit();
	}
	return n;
}

static int run(char **argv)
{
	const struct weir_quota all = { 1u << 30, 1u << 30, 1u << 30 };
	const struct spawn_options options = { .privileged = true,
					       .quota = &all };
	struct uthread *auditor = uthread_start(audit_on, NULL, -1);
	struct child child;
	int status;

	if (!auditor || spawn(argv[0], argv, &options, &child) < 0) {
		printf("audit: cannot start %s\n", spawn_error());
		return 1;
	}
	if (child_wait(&child, &status) < 0)
		status = 1;
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	uthread_join(auditor);
	return status;
}

int main(int argc, char **argv)
{
	int status = 0;
	long n;

	if (argc == 2 && !strcmp(argv[1], "leak")) {
		sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_LEAK, 0);
		argc = 1;
	}
	/* Nothing of ours goes to a swap server, which may die. */
	sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_SYSTEM, 1);
	argv++;
	if (argc > 1 && arg_u64(*argv, "ms", &period_ms)) {
		argv++;
		argc--;
	}
	if (argc > 1)
		status = run(argv);
	n = audit_at_rest();
	if (n < 0) {
		printf("audit: %s\n", n == -WEIR_EINVAL ? "no check=audit" :
		       "nothing comes to rest");
		return 1;
	}
	printf("audit: %ld audits, the last one at rest\n", n);
	return status;
}
