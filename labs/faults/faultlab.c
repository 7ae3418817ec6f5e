/*
 * faultlab.c - lab faults: pages that are made when they are touched, and
 * copied when they are written.
 *
 *   faultlab zero     a page that nobody has touched is of zeros, and takes
 *                     a frame only once it is touched
 *   faultlab cow      a clone is what the original was, and a page is copied
 *                     when one of the two writes to it, and only then
 *   faultlab swapped  the same while pages are in swap
 *   faultlab race     two CPUs write to the two at the same time
 *
 * Needs a privileged shell. Exit status 1: a line says what is not so.
 */
#include "labs/lab.h"

#define PAGE WEIR_PAGE_SIZE
#define WORDS (PAGE / 8)
#define N 64u

struct view {
	handle_t mem;
	volatile uint64_t *at;
	uint64_t n;
};

static struct view view_of(long mem, uint64_t n)
{
	long va = sys_mem_map(startup->self, (handle_t)mem, 0, 0, n,
			      WEIR_P_READ | WEIR_P_WRITE);

	CHECK(mem > 0 && va > 0);
	return (struct view){ (handle_t)mem, (volatile uint64_t *)va, n };
}

static struct view view_new(uint64_t n)
{
	return view_of(sys_mem_create(n, 0), n);
}

static struct view view_clone(const struct view *v)
{
	return view_of(sys_mem_clone(v->mem), v->n);
}

static void view_drop(struct view *v)
{
	CHECK(sys_mem_unmap(startup->self, (uintptr_t)v->at, v->n) == 0);
	sys_handle_close(v->mem);
}

static volatile uint64_t *page(const struct view *v, uint64_t i)
{
	return v->at + i * WORDS;
}

static void fill(const struct view *v, uint64_t tag)
{
	for (uint64_t i = 0; i < v->n; i++)
		for (uint64_t w = 0; w < WORDS; w++)
			page(v, i)[w] = tag + i * WORDS + w;
}

/* Words that are not as fill left them. */
static uint64_t wrong(const struct view *v, uint64_t tag)
{
	uint64_t bad = 0;

	for (uint64_t i = 0; i < v->n; i++)
		for (uint64_t w = 0; w < WORDS; w++)
			bad += page(v, i)[w] != tag + i * WORDS + w;
	return bad;
}

/* ---- zero ---------------------------------------------------------------- */
#define BIG (1u << 18) /* pages: more than there are frames */

static void zero(void)
{
	struct view v = view_new(BIG);
	uint64_t bad = 0, before = counter(WEIR_C_nr_free_pages);

	for (unsigned i = 0; i < N; i++)
		*page(&v, i * (BIG / N)) = 1;
	/* A page, a leaf of the object and a page table each. */
	CHECK(before - counter(WEIR_C_nr_free_pages) <= 4 * N);
	view_drop(&v);
	lab_part("lazy");
	for (unsigned round = 0; round < 8; round++) {
		v = view_new(8 * N);
		for (uint64_t i = 0; i < v.n; i++)
			for (uint64_t w = 0; w < WORDS; w++) {
				bad += page(&v, i)[w] != 0;
				page(&v, i)[w] = ~0ull; /* for who comes next */
			}
		view_drop(&v);
	}
	CHECK(bad == 0);
	lab_part("zeros");
}

/* ---- cow ----------------------------------------------------------------- */
static void cow_private(void)
{
	struct view a = view_new(N), b;

	fill(&a, 1000);
	b = view_clone(&a);
	CHECK(wrong(&b, 1000) == 0);
	lab_part("equal");
	page(&a, 3)[5] = 1;
	page(&b, 4)[6] = 2;
	CHECK(page(&b, 3)[5] == 1000 + 3 * WORDS + 5);
	CHECK(page(&a, 4)[6] == 1000 + 4 * WORDS + 6);
	CHECK(page(&a, 3)[5] == 1 && page(&b, 4)[6] == 2);
	/* The rest of the pages came along. */
	CHECK(page(&a, 3)[6] == 1000 + 3 * WORDS + 6);
	CHECK(page(&b, 4)[5] == 1000 + 4 * WORDS + 5);
	view_drop(&a);
	view_drop(&b);
	lab_part("private");
}

static void cow_once(void)
{
	struct view a = view_new(N), b;
	uint64_t copies, frames;

	fill(&a, 1000);
	frames = counter(WEIR_C_nr_free_pages);
	b = view_clone(&a);
	CHECK(wrong(&b, 1000) == 0);
	CHECK(frames - counter(WEIR_C_nr_free_pages) < N / 2);
	copies = counter(WEIR_C_pgcopy);
	for (unsigned w = 0; w < 8; w++)
		page(&b, 7)[w] = w;
	CHECK(counter(WEIR_C_pgcopy) == copies + 1);
	page(&a, 7)[0] = 9; /* nobody else has that one now */
	CHECK(counter(WEIR_C_pgcopy) == copies + 1);
	view_drop(&b);
	fill(&a, 2000);
	CHECK(counter(WEIR_C_pgcopy) == copies + 1);
	CHECK(wrong(&a, 2000) == 0);
	view_drop(&a);
	lab_part("once");
}

static void cow_holes(void)
{
	struct view a = view_new(N), b;

	*page(&a, 5) = 1;
	b = view_clone(&a);
	*page(&a, 6) = 2;
	*page(&b, 7) = 3;
	CHECK(*page(&b, 5) == 1 && *page(&b, 6) == 0 && *page(&a, 7) == 0);
	view_drop(&a);
	view_drop(&b);
	lab_part("holes");
}

/* Another CPU that has the shared pages in its TLB, and stays in user mode,
 * sees what is written to the copies. */
static struct view seen;
static uint64_t turn; /* atomic; odd: the watcher's */

static void await(uint64_t t)
{
	while (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) != t)
		__builtin_ia32_pause();
}

static void pass(void)
{
	__atomic_add_fetch(&turn, 1, __ATOMIC_SEQ_CST);
}

static void watch(void *arg)
{
	uint64_t *stale = arg;

	for (uint64_t i = 0; i < N; i++) {
		await(4 * i + 1);
		(void)*page(&seen, i);
		pass();
		await(4 * i + 3);
		*stale += *page(&seen, i) != ~i;
		pass();
	}
}

static void cow_seen(void)
{
	struct view a = view_new(N);
	uint64_t stale = 0;
	struct uthread *t;

	fill(&a, 1000);
	seen = view_clone(&a);
	t = uthread_start(watch, &stale, 1);
	for (uint64_t i = 0; i < N; i++) {
		pass();
		await(4 * i + 2);
		*page(&seen, i) = ~i;
		pass();
		await(4 * i + 4);
	}
	uthread_join(t);
	CHECK(stale == 0);
	CHECK(wrong(&a, 1000) == 0);
	view_drop(&seen);
	view_drop(&a);
	lab_part("seen");
}

static void cow(void)
{
	struct weir_system sys;

	cow_private();
	cow_once();
	cow_holes();
	system_read(&sys);
	if (sys.cpus > 1)
		cow_seen();
}

/* ---- swapped ------------------------------------------------------------- */
static void swapped(void)
{
	struct view a = view_new(N), b;

	fill(&a, 1000);
	b = view_clone(&a);
	reclaim_all();
	CHECK(wrong(&b, 1000) == 0);
	reclaim_all();
	fill(&b, 2000);
	reclaim_all();
	CHECK(wrong(&a, 1000) == 0 && wrong(&b, 2000) == 0);
	view_drop(&a);
	reclaim_all();
	CHECK(wrong(&b, 2000) == 0);
	view_drop(&b);
	lab_part("swapped");
}

/* ---- race ---------------------------------------------------------------- */
#define ROUNDS 25u

static struct view mine, yours;
static struct ubarrier barrier;

static void writer(void *arg)
{
	(void)arg;
	for (unsigned r = 0; r < ROUNDS; r++) {
		ubarrier_wait(&barrier, 1);
		for (uint64_t i = 0; i < N; i++)
			*page(&yours, i) = r * N + i;
		ubarrier_wait(&barrier, 1);
	}
}

static void race(void)
{
	struct uthread *t;
	uint64_t bad = 0;

	mine = view_new(N);
	fill(&mine, 0);
	ubarrier_init(&barrier, NULL, 2);
	t = uthread_start(writer, NULL, 1);
	for (unsigned r = 0; r < ROUNDS; r++) {
		yours = view_clone(&mine);
		ubarrier_wait(&barrier, 0);
		for (uint64_t i = 0; i < N; i++)
			*page(&mine, i) = ~(uint64_t)(r * N + i);
		ubarrier_wait(&barrier, 0);
		for (uint64_t i = 0; i < N; i++) {
			bad += *page(&mine, i) != ~(uint64_t)(r * N + i);
			bad += *page(&yours, i) != r * N + i;
		}
		view_drop(&yours);
	}
	uthread_join(t);
	view_drop(&mine);
	CHECK(bad == 0);
	lab_part("race");
}

int main(int argc, char **argv)
{
	static const struct lab_scene all[] = {
		{ "zero", zero }, { "cow", cow }, { "swapped", swapped },
		{ "race", race },
		{ NULL, NULL },
	};

	return lab_play(argc, argv, all);
}
