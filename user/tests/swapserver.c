/*
 * swapserver HOW - a swap device that is a program (WEIR_CTL_SWAP), and what
 * becomes of other programs' pages when it is not as good as it should be.
 * To be run with swap=virtio and a ramdisk for the fallback.
 *
 *   good   keeps pages, and gives them back
 *   late   after some writes it answers none any more
 *   fail   after some writes it answers all with an error
 *   die    after some writes it is gone, and what it had with it
 *
 * The memory that it keeps pages in is pinned, as it is itself. Prints what
 * happened, a line for what is wrong; exit status 1 if there was one.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/abi/test.h"
#include "user/tests/check.h"

#define PAGE WEIR_PAGE_SIZE
#define SLOTS 1024u /* 4 MiB; page 0 is none */
#define SOME 100u   /* writes that each of them answers */
#define LATE_NS 300000000ull

/* --- the program that needs memory ---------------------------------------- */
/* Fills `pages` pages and looks at them twice. */
static int hog(uint64_t pages)
{
	volatile uint64_t *p = pages_map(pages, NULL);
	uint64_t wrong = 0;

	if (!p)
		return 1;
	for (uint64_t i = 0; i < pages; i++)
		p[i * PAGE / 8 + i % 512] = ~i;
	for (uint64_t i = 0; i < 2 * pages; i++)
		wrong += p[i % pages * PAGE / 8 + i % pages % 512] !=
			 ~(i % pages);
	return wrong ? 2 : 0;
}

/* --- the server ----------------------------------------------------------- */
enum how { GOOD, LATE, FAIL, DIE };
static const char *const hows[] = { "good", "late", "fail", "die" };

static uint8_t (*kept)[PAGE];
static uint8_t buffer[PAGE] __attribute__((aligned(4096)));
static handle_t requests, pager;
static unsigned reads, writes; /* atomic */
static enum how how;
static unsigned over; /* atomic: the server should end */

static void answer(const struct weir_pager_request *r)
{
	bool bad = how != GOOD && r->kind == WEIR_PAGER_WRITE &&
		   writes >= SOME;

	if (bad && how == LATE)
		return;
	if (bad && how == DIE) {
		sys_handle_close(pager);
		pager = 0;
		return;
	}
	if (r->kind == WEIR_PAGER_READ) {
		__atomic_add_fetch(&reads, 1, __ATOMIC_SEQ_CST);
		sys_pager_done(pager, r->cookie, kept[r->page], 0);
		return;
	}
	if (!bad)
		memcpy(kept[r->page], buffer, PAGE);
	sys_pager_done(pager, r->cookie, NULL, bad ? -WEIR_EIO : 0);
	__atomic_add_fetch(&writes, 1, __ATOMIC_SEQ_CST);
}

static void serve(void *arg)
{
	struct weir_pager_request r;
	long error = 0;

	(void)arg;
	sys_thread_ctl(0, WEIR_THREAD_PRIO, 30);
	while (pager && !__atomic_load_n(&over, __ATOMIC_SEQ_CST)) {
		error = sys_pager_next(pager, &r, buffer);
		if (error == 0)
			answer(&r);
		else
			sys_ntfn_wait(requests, 1, 0, NULL);
	}
	if (pager)
		sys_handle_close(pager);
}

static long attach(void)
{
	handle_t mem;
	long h = sys_pager_create(requests, 0, SLOTS,
				  how == LATE ? LATE_NS : 0, &mem);
	long error;

	if (h < 0)
		return h;
	pager = (handle_t)h;
	error = sys_sys_ctl(WEIR_CTL_SWAP, mem, 0);
	sys_handle_close(mem);
	return error;
}

/* A hog that needs as much as there is memory, and all slots of the server. */
static int run_hog(void)
{
	char pages[32], *const argv[] = { "swapserver", "hog", pages, NULL };
	struct weir_system sys;
	struct child child;
	int status = -1;

	system_read(&sys);
	snprintf(pages, sizeof(pages), "pages=%llu",
		 (unsigned long long)(sys.frames_free + sys.frames_anon) +
			 SLOTS);
	CHECK(spawn("swapserver", argv, NULL, &child) == 0);
	CHECK(child_wait(&child, &status) == 0);
	return status;
}

static void test_errors(void)
{
	long mem = sys_mem_create(4, 0);

	CHECK(sys_sys_ctl(WEIR_CTL_SWAP, (uint64_t)mem, 0) == -WEIR_EINVAL);
	CHECK(sys_sys_ctl(WEIR_CTL_SWAP, requests, 0) == -WEIR_EHANDLE);
	CHECK(sys_sys_ctl(WEIR_CTL_SWAP, 0, 0) == -WEIR_EHANDLE);
	sys_handle_close((handle_t)mem);
}

/* Where the pages are that it cannot give back, nobody else is hurt. */
static void check_hogs(int first)
{
	int second = run_hog();

	CHECK(second == 0);
	if (how == DIE)
		CHECK(first == STATUS_FAULT || first == 0);
	else
		CHECK(first == 0);
	CHECK(writes >= SOME);
	if (how == GOOD)
		CHECK(reads > 0);
	printf("swapserver: %s: %u pages kept, %u given back, a program that "
	       "needed them ended with %d, the next one with %d\n", hows[how],
	       writes, reads, first, second);
}

static int server(void)
{
	struct uthread *t;
	long h = sys_ntfn_create();
	handle_t mem;
	int first;

	requests = (handle_t)h;
	kept = pages_map(SLOTS, &mem);
	CHECK(h > 0 && kept && sys_mem_pin(mem, 0, SLOTS, 1) == 0);
	test_errors();
	CHECK(attach() == 0);
	t = uthread_start(serve, NULL, -1);
	CHECK(t);
	if (failures)
		return 1;
	first = run_hog();
	check_hogs(first);
	/* All slots are free again: another one can take its place if it does
	 * not work any more. */
	h = attach();
	CHECK(h == (how == GOOD ? -WEIR_EBUSY : 0));
	__atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
	sys_ntfn_signal(requests, 1);
	return failures ? 1 : 0;
}

/* The server is a child of its own, all of whose memory is pinned. */
static int start(char *name)
{
	char *const argv[] = { "swapserver", name, "server", NULL };
	const struct spawn_options options = {
		.system = true, .pinned = true, .privileged = true };
	struct child child;
	int status;

	if (sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_SYSTEM, 1) < 0 ||
	    spawn("swapserver", argv, &options, &child) < 0 ||
	    child_wait(&child, &status) < 0) {
		printf("swapserver: %s\n", spawn_error());
		return 1;
	}
	return status;
}

int main(int argc, char **argv)
{
	uint64_t pages;

	if (argc == 3 && strcmp(argv[1], "hog") == 0 &&
	    arg_u64(argv[2], "pages", &pages))
		return hog(pages);
	for (unsigned i = 0; argc > 1 && i < 4; i++)
		if (strcmp(argv[1], hows[i]) == 0) {
			how = (enum how)i;
			return argc > 2 ? server() : start(argv[1]);
		}
	eprintf("usage: swapserver good|late|fail|die\n");
	return STATUS_USAGE;
}
