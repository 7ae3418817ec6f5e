/*
 * swapfail.c - a swap device that fails costs one task an error, and nobody
 * a byte (P6). It is made to fail on purpose (user/lib/faults.h).
 *
 *  A write fails: the page stays in memory, dirty, and goes out when the
 *  device works again. While none works, memory alone has to do: a task that
 *  takes all of it dies, the others do not.
 *  A write is stuck: it fails in the end, and only who waits for it waits.
 *  A read fails, at once or after it was stuck: the task that needs the page
 *  gets WEIR_FAULT_IO for its address, or an error from its system call. The
 *  page stays in its slot, so the failure is not sticky: who asks next, be it
 *  the same task when its parent says so, or another one that shares the
 *  page, has it read again.
 *
 * The children are this program, with one word. While a read may fail nobody
 * else runs, so nothing is printed before the last of them. Exit status 1: a
 * line says what is not so.
 */
#include <string.h>

#include "kernel/abi/test.h"
#include "user/lib/faults.h"
#include "user/tests/check.h"

#define PAGES 256u
#define WORDS (WEIR_PAGE_SIZE / 8)
#define SHARED ((volatile uint64_t *)0x600000000000) /* in all tasks */
#define STUCK_NS 1000000000ull /* until the device gives up */
#define VICTIM 100u /* the page whose reading fails */

static volatile uint64_t *own;
static handle_t shared;

/* Of this task's own reads, and of everybody's writes. */
static void faults(const char *text)
{
	CHECK(!faults_set(text, true));
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
	faults("swap-write:1");
	push_out();
	before = reads();
	CHECK(intact(own, tag));
	/* They had stayed in memory. Later, clean pages of code have not. */
	CHECK(tag > 1 || reads() == before);
	faults("swap-write:0");
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
	faults("swap-write:1");
	CHECK(spawn("crash", argv, NULL, &hog) == 0);
	CHECK(child_wait(&hog, &status) == 0 && status == STATUS_FAULT);
	CHECK(intact(own, 1));
	faults("swap-write:0");
}

static bool pushed; /* atomic */

static void push_out_once(void *arg)
{
	(void)arg;
	push_out();
	__atomic_store_n(&pushed, true, __ATOMIC_SEQ_CST);
}

/* Of its parent's pages one is stuck on its way out: who waits for that one
 * waits, others have pages written meanwhile. It is pinned itself, so no page
 * of its own is on its way. */
static int pinned_main(void)
{
	uint64_t before = faults_injected("swap-stuck-write");
	uint64_t from = now_ns();
	struct uthread *t;

	faults("swap-stuck-write:1x1");
	t = uthread_start(push_out_once, NULL, -1);
	CHECK(t);
	while (t && faults_injected("swap-stuck-write") == before)
		uthread_yield();
	push_out();
	CHECK(!__atomic_load_n(&pushed, __ATOMIC_SEQ_CST));
	if (t)
		uthread_join(t);
	CHECK(now_ns() - from >= STUCK_NS);
	return failures > 0;
}

static void try_stuck_write(uint64_t tag)
{
	char *argv[] = { "swapfail", "pinned", NULL };
	const struct spawn_options options = { .privileged = true,
					       .system = true,
					       .pinned = true };
	struct child child;
	int status = -1;

	paint(own, tag);
	CHECK(sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_SYSTEM, 1) == 0);
	CHECK(spawn("swapfail", argv, &options, &child) == 0);
	CHECK(sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_SYSTEM, 0) == 0);
	CHECK(child_wait(&child, &status) == 0 && status == 0);
	CHECK(intact(own, tag));
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
		faults(!i ? "swap-read:0" : strcmp(how, "stuck") == 0 ?
		       "swap-stuck-read:1x1" : "swap-read:1x1");
		result = touch(how, i ? VICTIM : VICTIM + 8);
	}
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
	if (argc == 2 && strcmp(argv[1], "pinned") == 0)
		return pinned_main();
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
	try_stuck_write(2);
	paint(SHARED, 3);
	try_read("again", 1);
	try_read("call", 0);
	try_read("stuck", 1);
	try_fatal_read();
	printf("swapfail: %u failed\n", failures);
	return failures ? 1 : 0;
}
