/*
 * quotas.c - what a task may have: frames, handles and threads, alone, with
 * its children, and below another limit; and that all is given back.
 *
 * Prints a line for what is wrong; exit status 1 if there was one. With an
 * argument it is one of the children, whose exit status is part of the test.
 */
#include <stdlib.h>
#include <string.h>

#include "user/tests/check.h"


/* --- the children --------------------------------------------------------- */
static uint64_t touch(uint64_t pages)
{
	volatile char *p = pages_map(pages, NULL);
	uint64_t i;

	for (i = 0; p && i < pages; i++)
		p[i * WEIR_PAGE_SIZE] = 1;
	return i;
}

static long own_account(struct weir_object_info *info)
{
	return sys_object_info(startup->self, info, sizeof(*info));
}

/* Up to the limit; it would be killed above. */
static int use_frames(void)
{
	struct weir_object_info i;

	if (own_account(&i) < 0)
		return 1;
	uint64_t room = i.task.limit.frames - i.task.used.frames;

	/* Three tables of memory and two of mappings, at the most. */
	return touch(room - 5) == room - 5 ? 0 : 2;
}

static int use_handles(void)
{
	struct weir_object_info i;
	long error;

	while ((error = sys_ntfn_create()) > 0)
		;
	if (error != -WEIR_EFULL || own_account(&i) < 0)
		return 1;
	return i.task.used.handles == i.task.limit.handles ? 0 : 2;
}

static void wait_for_ever(void *arg)
{
	sys_ntfn_wait((handle_t)(uintptr_t)arg, 1, 0, NULL);
}

static int use_threads(void)
{
	handle_t n = (handle_t)sys_ntfn_create();
	struct weir_object_info i;

	while (uthread_start(wait_for_ever, (void *)(uintptr_t)n, -1))
		;
	if (own_account(&i) < 0)
		return 1;
	return i.task.used.threads == i.task.limit.threads ? 0 : 2;
}

/* Starts programs like itself, and they theirs, until one may not: told by
 * whoever could not start one. */
static int fork_bomb(void)
{
	char *const argv[] = { "quotas", "bomb", NULL };
	struct child child;
	int status = 0;

	if (spawn("quotas", argv, NULL, &child) < 0)
		return 3;
	return child_wait(&child, &status) < 0 || status ? 3 : 0;
}

/* A limit of its own, above what is left of its parent's. */
static int nested(void)
{
	const struct weir_quota q = { .frames = 100000 };
	const struct spawn_options options = { .quota = &q };
	char *const argv[] = { "quotas", "eat", NULL };
	struct child child;
	int status;

	if (spawn("quotas", argv, &options, &child) < 0 ||
	    child_wait(&child, &status) < 0)
		return 1;
	return status == STATUS_FAULT ? 4 : 2;
}

static int eat(void)
{
	touch(5000);
	return 1; /* it could not */
}

static const struct {
	const char *name;
	int (*run)(void);
} roles[] = {
	{ "frames", use_frames },   { "handles", use_handles },
	{ "threads", use_threads }, { "bomb", fork_bomb },
	{ "nested", nested },	    { "eat", eat },
};

/* --- the parent ----------------------------------------------------------- */
static bool unused(const struct weir_object_info *info)
{
	const struct weir_quota *used = &info->task.used;

	return used->frames == 0 && used->handles == 0 && used->threads == 0;
}

/* Runs a child with a quota; all of it must be there again afterwards. */
static int run(const char *role, const struct weir_quota *quota)
{
	char *const argv[] = { "quotas", (char *)role, NULL };
	const struct spawn_options options = { .quota = quota };
	struct weir_object_info info;
	struct child child;
	int status = -1;
	handle_t task;

	if (spawn("quotas", argv, &options, &child) < 0) {
		printf("quotas: %s\n", spawn_error());
		return -1;
	}
	task = (handle_t)sys_handle_dup(child.task, WEIR_R_ALL, 0);
	CHECK(child_wait(&child, &status) == 0);
	CHECK(sys_object_info(task, &info, sizeof(info)) == 0);
	CHECK(info.type == WEIR_OBJ_TASK && !info.task.alive);
	CHECK(info.task.limit.frames ==
	      (quota->frames ? quota->frames : UINT64_MAX));
	CHECK(unused(&info)); /* what it started is gone before it */
	sys_handle_close(task);
	return status;
}

static void test_errors(void)
{
	struct weir_object_info info;
	long n = sys_ntfn_create();

	CHECK(sys_task_create(0, "bad", 3, 0, (void *)8) == -WEIR_EFAULT);
	CHECK(sys_object_info((handle_t)n, &info, 8) == -WEIR_EINVAL);
	CHECK(sys_object_info((handle_t)n, (void *)8, sizeof(info)) ==
	      -WEIR_EFAULT);
	CHECK(sys_object_info((handle_t)n, &info, sizeof(info)) == 0 &&
	      info.type == WEIR_OBJ_NTFN && info.rights == WEIR_R_ALL);
	CHECK(sys_handle_close((handle_t)n) == 0);
	CHECK(sys_object_info((handle_t)n, &info, sizeof(info)) ==
	      -WEIR_EHANDLE);
}

int main(int argc, char **argv)
{
	int status;

	for (size_t i = 0; argc == 2 && i < sizeof(roles) / sizeof(roles[0]);
	     i++)
		if (strcmp(argv[1], roles[i].name) == 0)
			return roles[i].run();
	if (argc > 1) {
		eprintf("usage: quotas\n");
		return STATUS_USAGE;
	}
	test_errors();
	CHECK(run("frames", &(struct weir_quota){ .frames = 400 }) == 0);
	CHECK(run("eat", &(struct weir_quota){ .frames = 400 }) ==
	      STATUS_FAULT);
	CHECK(run("handles", &(struct weir_quota){ .handles = 50 }) == 0);
	CHECK(run("threads", &(struct weir_quota){ .threads = 9 }) == 0);
	CHECK(run("bomb", &(struct weir_quota){ .threads = 6 }) == 3);
	CHECK(run("bomb", &(struct weir_quota){ .handles = 60 }) == 3);
	/* To tell of a child's end may be one page too much, too. */
	status = run("bomb", &(struct weir_quota){ .frames = 1000 });
	CHECK(status == 3 || status == STATUS_FAULT);
	status = run("nested", &(struct weir_quota){ .frames = 800 });
	CHECK(status == 4 || status == STATUS_FAULT);
	printf("quotas: %u checks, %u failed\n", checks, failures);
	return failures ? 1 : 0;
}
