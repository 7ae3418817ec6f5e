/*
 * clones.c - mem_clone and mem_pin: pages are shared until they are written,
 * a clone is what the original was at one moment, and nothing is left over.
 *
 *   clones [seconds=N]
 *
 * Prints a line for what is wrong; exit status 1 if there was one. The races
 * need two CPUs or more; what reclaim does meanwhile is asked for by the test.
 */
#include <string.h>

#include "kernel/abi/test.h"
#include "user/lib/stream.h"
#include "user/tests/account.h"
#include "user/tests/check.h"

#define PAGE WEIR_PAGE_SIZE
#define WORDS (PAGE / sizeof(uint64_t))
#define READ_WRITE (WEIR_P_READ | WEIR_P_WRITE)
#define MANY 600 /* pages: more than one leaf of the array has */

/* --- objects in this task ------------------------------------------------- */
struct view {
	handle_t mem;
	uint64_t (*page)[WORDS];
	uint64_t pages;
};

static struct view view_of(long mem, uint64_t pages)
{
	struct view v = { .mem = (handle_t)mem, .pages = pages };
	long va;

	CHECK(mem > 0);
	va = sys_mem_map(startup->self, v.mem, 0, 0, pages, READ_WRITE);
	CHECK(va > 0);
	v.page = (void *)va;
	return v;
}

static struct view view_new(uint64_t pages)
{
	return view_of(sys_mem_create(pages, 0), pages);
}

static struct view view_clone(const struct view *v)
{
	return view_of(sys_mem_clone(v->mem), v->pages);
}

static void view_drop(struct view *v)
{
	CHECK(sys_mem_unmap(startup->self, (uintptr_t)v->page, v->pages) == 0);
	CHECK(sys_handle_close(v->mem) == 0);
}

static void fill(struct view *v, uint64_t salt)
{
	for (uint64_t i = 0; i < v->pages; i++)
		v->page[i][i % WORDS] = salt + i;
}

/* Pages that are not as fill() left them. */
static uint64_t wrong(const struct view *v, uint64_t salt)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < v->pages; i++)
		n += *(volatile uint64_t *)&v->page[i][i % WORDS] != salt + i;
	return n;
}

static void reclaim_all(void)
{
	struct weir_system sys;

	account_reclaim(&sys);
}

/* --- one after the other -------------------------------------------------- */
static void test_sharing(void)
{
	struct view a = view_new(MANY), b, c;
	uint64_t copies, frames;

	fill(&a, 1000);
	frames = counter(WEIR_C_nr_free_pages);
	b = view_clone(&a);
	CHECK(frames - counter(WEIR_C_nr_free_pages) < 16);
	copies = counter(WEIR_C_pgcopy);
	CHECK(wrong(&b, 1000) == 0);
	CHECK(counter(WEIR_C_pgcopy) == copies);
	b.page[3][9] = 1; /* each write copies one page, once */
	b.page[3][10] = 2;
	a.page[MANY - 1][9] = 3;
	CHECK(counter(WEIR_C_pgcopy) == copies + 2);
	CHECK(a.page[3][9] == 0 && a.page[3][10] == 0);
	CHECK(b.page[3][9] == 1 && b.page[3][10] == 2);
	CHECK(a.page[MANY - 1][9] == 3 && b.page[MANY - 1][9] == 0);
	CHECK(wrong(&a, 1000) == 0 && wrong(&b, 1000) == 0);
	c = view_clone(&b); /* a family of three; the middle one dies */
	CHECK(c.page[3][9] == 1);
	view_drop(&b);
	CHECK(wrong(&c, 1000) == 0 && c.page[3][9] == 1);
	copies = counter(WEIR_C_pgcopy);
	c.page[3][9] = 4; /* nobody shares this one any more */
	CHECK(counter(WEIR_C_pgcopy) == copies);
	fill(&c, 5000);
	CHECK(wrong(&a, 1000) == 0 && wrong(&c, 5000) == 0);
	view_drop(&a);
	CHECK(wrong(&c, 5000) == 0);
	view_drop(&c);
}

/* What nobody has touched is not shared: each gets zeros of its own. */
static void test_holes(void)
{
	struct view a = view_new(MANY), b;

	a.page[5][0] = 1;
	b = view_clone(&a);
	a.page[6][0] = 2;
	b.page[7][0] = 3;
	CHECK(b.page[5][0] == 1 && b.page[6][0] == 0 && a.page[7][0] == 0);
	view_drop(&a);
	view_drop(&b);
}

/* Shared pages that are in swap: one slot, one read, one frame. */
static void test_swapped(void)
{
	struct view a = view_new(MANY), b;
	struct weir_system before, after;
	uint64_t reads;

	reclaim_all();
	system_read(&before);
	fill(&a, 2000);
	b = view_clone(&a);
	reclaim_all();
	system_read(&after);
	CHECK(before.swap_free - after.swap_free < MANY + 100);
	reads = counter(WEIR_C_pswpin);
	CHECK(wrong(&a, 2000) == 0 && wrong(&b, 2000) == 0);
	CHECK(counter(WEIR_C_pswpin) - reads < MANY + 100);
	reclaim_all();
	fill(&b, 3000); /* writes to pages that are out and shared */
	CHECK(wrong(&a, 2000) == 0 && wrong(&b, 3000) == 0);
	reclaim_all();
	view_drop(&b);
	CHECK(wrong(&a, 2000) == 0);
	view_drop(&a);
}

static void test_errors(void)
{
	long ntfn = sys_ntfn_create(), pager;
	struct view a = view_new(4);
	handle_t paged, weak;

	pager = sys_pager_create((handle_t)ntfn, 0, 4, 0, &paged);
	CHECK(pager > 0);
	CHECK(sys_mem_clone(paged) == -WEIR_EINVAL);
	CHECK(sys_mem_clone((handle_t)ntfn) == -WEIR_EHANDLE);
	weak = (handle_t)sys_handle_dup(a.mem, WEIR_R_WRITE, 0);
	CHECK(sys_mem_clone(weak) == -WEIR_ERIGHTS);
	sys_handle_close(weak);
	weak = (handle_t)sys_handle_dup(a.mem, WEIR_R_READ, 0);
	CHECK(sys_mem_pin(weak, 0, 1, 1) == -WEIR_ERIGHTS);
	CHECK(sys_mem_pin(a.mem, 0, 1, 1) == -WEIR_EPERM);
	sys_handle_close(weak);
	sys_handle_close(paged);
	sys_handle_close((handle_t)pager);
	sys_handle_close((handle_t)ntfn);
	view_drop(&a);
}

static void be_system(bool on)
{
	CHECK(sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_SYSTEM, on) == 0);
}

/* Is the page in a page table? */
static bool present(const struct view *v, unsigned i)
{
	return sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_LOOK,
			   (uintptr_t)v->page[i]) & WEIR_PTE_PRESENT;
}

/* A pinned page stays, is nobody else's, and is not cloned. */
static void test_pin(void)
{
	struct view a = view_new(8), b;

	fill(&a, 7000);
	b = view_clone(&a);
	be_system(true);
	CHECK(sys_mem_pin(a.mem, 2, 7, 1) == -WEIR_EINVAL);
	CHECK(sys_mem_pin(a.mem, ~0ull, 2, 1) == -WEIR_EINVAL);
	CHECK(sys_mem_pin(a.mem, 2, 3, 1) == 0);
	CHECK(sys_mem_pin(a.mem, 2, 3, 1) == 0);
	CHECK(sys_mem_clone(a.mem) == -WEIR_EBUSY);
	CHECK(wrong(&a, 7000) == 0);
	reclaim_all();
	for (unsigned i = 0; i < 8; i++)
		CHECK(present(&a, i) == (i >= 2 && i < 5));
	CHECK(wrong(&a, 7000) == 0);
	CHECK(sys_mem_pin(a.mem, 0, 8, 0) == 0);
	be_system(false);
	reclaim_all();
	CHECK(!present(&a, 3) && wrong(&a, 7000) == 0);
	view_drop(&a);
	CHECK(wrong(&b, 7000) == 0);
	view_drop(&b);
}

/* A pinned page that was shared and in swap is one's own: the other is not
 * pinned by that. */
static void test_pin_swapped(void)
{
	struct view a = view_new(8), b, c;

	fill(&a, 8000);
	b = view_clone(&a);
	reclaim_all();
	be_system(true);
	CHECK(sys_mem_pin(a.mem, 0, 8, 1) == 0);
	be_system(false);
	CHECK(sys_mem_clone(a.mem) == -WEIR_EBUSY);
	c = view_clone(&b);
	CHECK(wrong(&a, 8000) == 0 && wrong(&b, 8000) == 0 &&
	      wrong(&c, 8000) == 0);
	reclaim_all();
	CHECK(present(&a, 3) && !present(&b, 3) && !present(&c, 3));
	view_drop(&a);
	view_drop(&b);
	view_drop(&c);
}

/* Wired and pinned memory goes when its object does. */
static void test_pinned_end(void)
{
	struct view a = view_new(8);

	be_system(true);
	CHECK(sys_mem_pin(a.mem, 0, 8, 1) == 0);
	be_system(false);
	view_drop(&a);
}

/* --- races ---------------------------------------------------------------- */
#define RACE_PAGES 40

static struct view race;
static uint32_t stop; /* atomic */
static uint64_t laps; /* atomic: of the writer */

/* Writes ever larger numbers, to one page after the other. At any moment the
 * pages are a falling row, from the first to the last, of at most 1. */
static void writer(void *arg)
{
	(void)arg;
	for (uint64_t n = 1; !__atomic_load_n(&stop, __ATOMIC_SEQ_CST); n++) {
		for (unsigned i = 0; i < RACE_PAGES; i++)
			__atomic_store_n(&race.page[i][0], n,
					 __ATOMIC_SEQ_CST);
		__atomic_store_n(&laps, n, __ATOMIC_SEQ_CST);
	}
}

/* Reads what the writer writes: what it has told of must be there, also
 * where the page was copied meanwhile. */
static uint64_t stale; /* atomic */

static void reader(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
		for (unsigned i = 0; i < RACE_PAGES; i++) {
			uint64_t n = __atomic_load_n(&laps, __ATOMIC_SEQ_CST);

			if (__atomic_load_n(&race.page[i][0],
					    __ATOMIC_SEQ_CST) < n)
				__atomic_add_fetch(&stale, 1,
						   __ATOMIC_SEQ_CST);
		}
}

static void reclaimer(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		sys_sys_ctl(WEIR_CTL_RECLAIM, RACE_PAGES, 0);
		uthread_yield();
	}
}

/* Is it a moment's picture, and the same when the writer has gone on? */
static unsigned check_snapshot(const struct view *v)
{
	uint64_t seen[RACE_PAGES], lap;
	unsigned bad = 0;

	for (unsigned i = 0; i < RACE_PAGES; i++) {
		seen[i] = __atomic_load_n(&v->page[i][0], __ATOMIC_SEQ_CST);
		bad += seen[i] > seen[0] || seen[i] + 1 < seen[0] ||
		       (i && seen[i] > seen[i - 1]);
	}
	lap = __atomic_load_n(&laps, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&laps, __ATOMIC_SEQ_CST) < lap + 2)
		uthread_yield();
	for (unsigned i = 0; i < RACE_PAGES; i++)
		bad += __atomic_load_n(&v->page[i][0], __ATOMIC_SEQ_CST) !=
		       seen[i];
	return bad;
}

static void test_race(uint64_t ns)
{
	struct uthread *t[3];
	uint64_t end = now_ns() + ns;
	unsigned rounds = 0, torn = 0;

	race = view_new(RACE_PAGES);
	t[0] = uthread_start(writer, NULL, -1);
	t[1] = uthread_start(reader, NULL, -1);
	t[2] = uthread_start(reclaimer, NULL, -1);
	CHECK(t[0] && t[1] && t[2]);
	while (now_ns() < end || rounds < 20) {
		struct view v = view_clone(&race);

		torn += check_snapshot(&v);
		fill(&v, rounds++);
		view_drop(&v);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < 3; i++)
		uthread_join(t[i]);
	view_drop(&race);
	CHECK(torn == 0);
	CHECK(stale == 0);
	printf("clones: %u snapshots, %u torn pages, %llu stale reads\n",
	       rounds, torn, (unsigned long long)stale);
}

/* --- a moment, across leaves ---------------------------------------------- */
#define LEAF 512u
#define LEAVES 24u

static uint64_t walked; /* atomic: pages of the first leaf that were written */

/* The count, which has been written before. */
static uint64_t *count_of(const struct view *v)
{
	return &v->page[(LEAVES - 1) * LEAF][0];
}

/* Reads, writes and counts pages that nobody has touched, one by one. */
static void walker(void *arg)
{
	const struct view *v = arg;

	for (uint64_t i = 0; i < LEAF; i++) {
		volatile uint64_t *word = &v->page[i][0];

		if (*word == 0)
			*word = 1;
		__atomic_store_n(count_of(v), i + 1, __ATOMIC_SEQ_CST);
		__atomic_store_n(&walked, i + 1, __ATOMIC_SEQ_CST);
	}
}

/* A clone takes its time. What it has of the walk is one moment of it, though
 * the pages of the walk come into being meanwhile, to be read at first. */
static void test_moment(void)
{
	struct view a = view_new(LEAVES * LEAF), b;
	struct uthread *t;
	uint64_t n, wrong = 0;

	for (unsigned i = 1; i < LEAVES; i++)
		a.page[i * LEAF][0] = 0;
	walked = 0;
	t = uthread_start(walker, &a, -1);
	CHECK(t);
	while (__atomic_load_n(&walked, __ATOMIC_SEQ_CST) < 8)
		uthread_yield();
	b = view_clone(&a);
	n = *count_of(&b);
	for (unsigned i = 0; i < LEAF; i++)
		wrong += i != n && b.page[i][0] != (i < n);
	CHECK(wrong == 0);
	uthread_join(t);
	view_drop(&a);
	view_drop(&b);
}

/* --- a copy, while a pass owes its flush ---------------------------------- */
#define LATE_PAGES 48u
#define DELAY_US 20000u

static struct view late;
static uint64_t published[LATE_PAGES]; /* atomic */

static void late_reader(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
		for (unsigned i = 0; i < LATE_PAGES; i++) {
			uint64_t n = __atomic_load_n(&published[i],
						     __ATOMIC_SEQ_CST);

			if (__atomic_load_n(&late.page[i][0],
					    __ATOMIC_SEQ_CST) < n)
				__atomic_add_fetch(&stale, 1,
						   __ATOMIC_SEQ_CST);
		}
}

/* Maps it anew: what was dirty in the page table is so in the frames now. */
static void map_again(struct view *v)
{
	CHECK(sys_mem_unmap(startup->self, (uintptr_t)v->page, v->pages) == 0);
	*v = view_of(v->mem, v->pages);
}

/* Shared pages are written while a pass has unmapped them, and has not flushed,
 * for no CPU could write to them: who reads on another CPU sees the copies. */
static void test_late(void)
{
	struct weir_system sys;
	struct uthread *t[2];
	struct view clone;

	system_read(&sys);
	CHECK(sys_sys_ctl(WEIR_CTL_DELAY, DELAY_US, 0) == 0);
	CHECK(sys_sys_ctl(WEIR_CTL_BATCH, 8, 0) == 0); /* few others in it */
	stop = 0;
	stale = 0;
	memset(published, 0, sizeof(published));
	late = view_new(LATE_PAGES);
	for (unsigned i = 0; i < LATE_PAGES; i++)
		late.page[i][0] = 1;
	clone = view_clone(&late);
	map_again(&late);
	t[0] = uthread_start(late_reader, NULL, -1);
	for (unsigned i = 0; i < LATE_PAGES; i++)
		while (!present(&late, i))
			uthread_yield();
	t[1] = uthread_start(reclaimer, NULL, -1);
	CHECK(t[0] && t[1]);
	for (unsigned i = 0; i < LATE_PAGES; i++) {
		for (unsigned k = 0; k < 100000 && present(&late, i); k++)
			uthread_yield();
		late.page[i][0] = 2;
		__atomic_store_n(&published[i], 2, __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < 2; i++)
		uthread_join(t[i]);
	CHECK(sys_sys_ctl(WEIR_CTL_DELAY, sys.delay_us, 0) == 0);
	CHECK(sys_sys_ctl(WEIR_CTL_BATCH, sys.batch, 0) == 0);
	view_drop(&late);
	view_drop(&clone);
	CHECK(stale == 0);
}

/* --- a program ------------------------------------------------------------ */
static char story[64] = "once";
static uint64_t told;

/* In a fork: its memory is what the original had when it said "ready". */
static void forked(uint64_t arg)
{
	bool good = strcmp(story, "once upon a time") == 0 && told == 42;

	start_again();
	story[0] = '0' + (char)arg; /* its own copy */
	told += arg;
	exit(good && told == 42 + arg ? (int)arg : STATUS_OTHER);
}

/* The original: gets ready, says where it can be forked, and waits. */
static int original(void)
{
	struct weir_msg m = { .label = (uintptr_t)forked,
			      .w = { (uintptr_t)__builtin_frame_address(0) -
				     4096 } };

	strcat(story, " upon a time");
	told = 42;
	/* Ends when the other side waits for something else. */
	sys_ipc_call(startup->extra[0], &m);
	return strcmp(story, "once upon a time") == 0 && told == 42 ? 0 : 1;
}

static void test_fork(void)
{
	handle_t ep = (handle_t)sys_ep_create();
	char *const argv[] = { "clones", "original", NULL };
	const struct spawn_options options = { .forkable = true,
		.extra = { ep }, .rights = { WEIR_R_WRITE } };
	struct child child, forks[4];
	struct weir_msg m;
	int status;

	CHECK(spawn("clones", argv, &options, &child) == 0);
	CHECK(sys_ipc_recv(ep, &m) == 0);
	for (uint64_t i = 0; i < 4; i++)
		CHECK(child_fork(&child, m.label, i + 1, m.w[0] & ~15ull,
				 argv, NULL, &forks[i]) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(child_wait(&forks[i], &status) == 0 &&
		      status == i + 1);
	CHECK(child_wait(&child, &status) == 0 && status == 0);
	sys_handle_close(ep);
}

/* --- all of it ------------------------------------------------------------ */
static void one_by_one(void)
{
	test_sharing();
	test_holes();
	test_swapped();
	test_errors();
	test_pin();
	test_pin_swapped();
	test_pinned_end();
}

/* Once for what the runtime and the kernel keep, then with an account. */
static void test_no_leak(void)
{
	struct weir_system before, after;

	one_by_one();
	account_reclaim(&before);
	one_by_one();
	account_reclaim(&after);
	CHECK(before.frames_free + before.frames_anon ==
	      after.frames_free + after.frames_anon);
	CHECK(before.swap_free == after.swap_free);
	if (before.frames_free + before.frames_anon !=
		    after.frames_free + after.frames_anon ||
	    before.swap_free != after.swap_free)
		printf("clones: frames %llu + %llu, then %llu + %llu; "
		       "slots %llu, then %llu\n",
		       (unsigned long long)before.frames_free,
		       (unsigned long long)before.frames_anon,
		       (unsigned long long)after.frames_free,
		       (unsigned long long)after.frames_anon,
		       (unsigned long long)before.swap_free,
		       (unsigned long long)after.swap_free);
}

int main(int argc, char **argv)
{
	uint64_t seconds = 3;

	if (argc == 2 && strcmp(argv[1], "original") == 0)
		return original();
	for (int i = 1; i < argc; i++)
		if (!arg_u64(argv[i], "seconds", &seconds)) {
			eprintf("usage: clones [seconds=N]\n");
			return STATUS_USAGE;
		}
	test_no_leak();
	test_fork();
	test_race(seconds * 1000000000);
	for (unsigned i = 0; i < 5; i++) {
		test_moment();
		test_late();
	}
	printf("clones: %u checks, %u failed\n", checks, failures);
	return failures ? 1 : 0;
}
