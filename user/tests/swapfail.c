/*
 * swapfail.c - a swap device that fails costs one task an error, and nobody
 * a byte (P6). The kernel's testing aid (abi/test.h) makes it fail.
 *
 *  A write fails: the page stays in memory, dirty, and goes out when the
 *  device works again. While none works, memory alone has to do: a task that
 *  takes all of it dies, the others do not.
 *  A read fails: the task that needs the page gets WEIR_FAULT_IO for its
 *  address, or an error from its system call. The page stays in its slot,
 *  so the failure is not sticky: who asks next, be it the same task when its
 *  parent says so, or another one that shares the page, has it read again.
 *
 * The children are this program, with one word. While a read may fail nobody
 * else runs, so nothing is printed before the last of them. Exit status 1: a
 * line says what is not so.
 */
#include <string.h>

#include "kernel/abi/test.h"
#include "user/tests/check.h"

#define PAGES 256u
#define WORDS (WEIR_PAGE_SIZE / 8)
#define SHARED ((volatile uint64_t *)0x600000000000) /* in all tasks */
#define VICTIM 100u /* the page whose reading fails */
#define ALL (~0ull)

static volatile uint64_t *own;
static handle_t shared;

static void fail_next(enum weir_test op, uint64_t n)
{
	CHECK(sys_sys_ctl(WEIR_CTL_TEST, op, n) == 0);
}

static volatile uint64_t *page(volatile uint64_t *region, unsigned p)
{
	return region + p * WORDS;
}

static void paint(volatile uint64_t *region, uint64_t tag)
{
	for (uint64_t i = 0; i < PAGES * WORDS; i++)
		region[i] = tag << 32 | i;
}

static bool intact(volatile uint64_t *region, uint64_t tag)
{
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < PAGES * WORDS; i++)
		wrong += region[i] != (tag << 32 | i);
	return wrong == 0;
}

/* Pages read from swap, by all tasks, since the start. */
static uint64_t reads(void)
{
	struct counters c;

	counters_read(&c);
	return c.v[WEIR_C_pswpin];
}

/* As much as will go goes out; twice, for what was in use the first time. */
static void push_out(void)
{
	struct weir_system sys;

	for (unsigned i = 0; i < 2; i++) {
		system_read(&sys);
		sys_sys_ctl(WEIR_CTL_RECLAIM, sys.frames_anon, 0);
	}
}

/* --- writes ------------------------------------------------------------- */
/* `tag` is newer than what the pages' slots hold, if they have any. */
static void try_writes(uint64_t tag)
{
	uint64_t before;

	paint(own, tag);
	fail_next(WEIR_TEST_FAIL_WRITES, ALL);
	push_out();
	before = reads();
	CHECK(intact(own, tag));
	/* They had stayed in memory. Later, clean pages of code have not. */
	CHECK(tag > 1 || reads() == before);
	fail_next(WEIR_TEST_FAIL_WRITES, 0);
	push_out();
	CHECK(intact(own, tag));
	CHECK(reads() - before >= PAGES); /* now they had not */
}

/* Before anything was written: no page of this task can be taken. */
static void try_memory_alone(void)
{
	char *argv[] = { "crash", "memory", NULL };
	struct child hog;
	int status = -1;

	paint(own, 1);
	fail_next(WEIR_TEST_FAIL_WRITES, ALL);
	CHECK(spawn("crash", argv, NULL, &hog) == 0);
	CHECK(child_wait(&hog, &status) == 0 && status == STATUS_FAULT);
	CHECK(intact(own, 1));
	fail_next(WEIR_TEST_FAIL_WRITES, 0);
}

/* --- a read ------------------------------------------------------------- */
static void map_shared(handle_t mem)
{
	CHECK(sys_mem_map(startup->self, mem, 0, (uintptr_t)SHARED, PAGES,
			  WEIR_P_READ | WEIR_P_WRITE) == (long)SHARED);
}

static long touch(const char *how, unsigned p)
{
	if (strcmp(how, "call") == 0)
		return sys_report(WEIR_REPORT_NOTE, (void *)page(SHARED, p),
				  8);
	return (long)*page(SHARED, p);
}

/* The first round brings in the very code that the second one runs: it is
 * the victim's page that the device fails to read. */
static int child_main(const char *how)
{
	long result = 0;

	map_shared(startup->extra[0]);
	if (!intact(SHARED, 3))
		return 3;
	push_out();
	for (unsigned i = 0; i < 2; i++) {
		fail_next(WEIR_TEST_FAIL_READS, i);
		result = touch(how, i ? VICTIM : VICTIM + 8);
	}
	fail_next(WEIR_TEST_FAIL_READS, 0);
	if (strcmp(how, "call") == 0 &&
	    (result != -WEIR_EFAULT || touch(how, VICTIM) != 0))
		return 4;
	return intact(SHARED, 3) && failures == 0 ? 0 : 5;
}

static bool start_child(char *how, struct child *child)
{
	char *argv[] = { "swapfail", how, NULL };
	struct spawn_options options = { .privileged = true,
					 .no_console = true,
					 .extra = { shared } };
	long error = spawn("swapfail", argv, &options, child);

	CHECK(error == 0);
	return error == 0;
}

/* The child's faults are answered with "again". Returns its status. */
static int serve_faults(struct child *child, unsigned *faults)
{
	const struct weir_msg again = { .label = 0 };
	struct weir_msg m;

	while (sys_ipc_recv(child->fault_ep, &m) == 0 &&
	       m.label != WEIR_MSG_EXIT) {
		CHECK(m.label == WEIR_MSG_FAULT);
		CHECK(m.w[0] == WEIR_FAULT_IO);
		CHECK(m.w[1] == (uintptr_t)page(SHARED, VICTIM));
		++*faults;
		sys_ipc_reply(&again);
	}
	sys_handle_close(child->task);
	sys_handle_close(child->fault_ep);
	return (int)m.w[0];
}

static void try_read(char *how, unsigned faults_due)
{
	unsigned faults = 0;
	struct child child;

	if (!start_child(how, &child))
		return;
	CHECK(serve_faults(&child, &faults) == 0);
	CHECK(faults == faults_due);
	CHECK(intact(SHARED, 3));
	CHECK(intact(own, 2));
}

/* Nobody asks for another try: the child dies of it, alone. */
static void try_fatal_read(void)
{
	int status = -1;
	struct child child;

	if (!start_child("fatal", &child))
		return;
	CHECK(child_wait(&child, &status) == 0 && status == STATUS_FAULT);
	CHECK(intact(SHARED, 3));
	CHECK(intact(own, 2));
}

int main(int argc, char **argv)
{
	if (argc == 2 && startup->extra[0])
		return child_main(argv[1]);
	own = pages_map(PAGES, NULL);
	shared = (handle_t)sys_mem_create(PAGES, 0);
	map_shared(shared);
	if (argc > 1 || !own || failures) {
		printf("usage: swapfail\n");
		return STATUS_USAGE;
	}
	try_memory_alone();
	try_writes(1);
	try_writes(2);
	paint(SHARED, 3);
	try_read("again", 1);
	try_read("call", 0);
	try_fatal_read();
	printf("swapfail: %u failed\n", failures);
	return failures ? 1 : 0;
}
