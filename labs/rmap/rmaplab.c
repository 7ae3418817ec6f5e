/*
 * rmaplab.c - lab rmap: from a frame to all its mappings.
 *
 *   rmaplab find    a page that is reclaimed is gone from every mapping, at
 *                   whatever address, offset and task
 *   rmaplab dirty   what was stored through any of them is not lost
 *   rmaplab second  a page that is used stays, one that is not goes
 *
 * Needs a privileged shell. Exit status 1: a line says what is not so.
 */
#include "labs/lab.h"

#define PAGE WEIR_PAGE_SIZE
#define WORDS (PAGE / 8)
#define RW (WEIR_P_READ | WEIR_P_WRITE)
#define N 32u

static volatile uint64_t *map(handle_t mem, uint64_t first, uint64_t n)
{
	long va = sys_mem_map(startup->self, mem, first, 0, n, RW);

	CHECK(va > 0);
	return (volatile uint64_t *)va;
}

static void unmap(volatile uint64_t *va, uint64_t n)
{
	CHECK(sys_mem_unmap(startup->self, (uintptr_t)va, n) == 0);
}

static volatile uint64_t *page(volatile uint64_t *base, uint64_t i)
{
	return base + i * WORDS;
}

/* All pages of a mapping are in memory and say who they are, or none is. */
static bool all_gone(volatile uint64_t *at, uint64_t n)
{
	bool any = false;

	for (uint64_t i = 0; i < n; i++)
		any |= present(page(at, i));
	return !any;
}

static bool right(volatile uint64_t *at, uint64_t first, uint64_t n)
{
	bool good = true;

	for (uint64_t i = 0; i < n; i++)
		good &= *page(at, i) == ~(first + i);
	return good;
}

static void fill(volatile uint64_t *at, uint64_t first, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		*page(at, i) = ~(first + i);
}

/* ---- find ---------------------------------------------------------------- */
static void find_one(void)
{
	handle_t mem = (handle_t)sys_mem_create(N, 0);
	volatile uint64_t *at = map(mem, 0, N);

	fill(at, 0, N);
	reclaim_all();
	CHECK(all_gone(at, N));
	CHECK(right(at, 0, N));
	unmap(at, N);
	sys_handle_close(mem);
	lab_part("one");
}

static void find_windows(void)
{
	handle_t mem = (handle_t)sys_mem_create(N, 0);
	volatile uint64_t *whole = map(mem, 0, N);
	volatile uint64_t *upper = map(mem, N / 2, N / 2);
	volatile uint64_t *middle = map(mem, N / 4, N / 2);
	volatile uint64_t *last = map(mem, N - 1, 1);

	fill(whole, 0, N);
	CHECK(right(upper, N / 2, N / 2) && right(middle, N / 4, N / 2) &&
	      right(last, N - 1, 1));
	reclaim_all();
	CHECK(all_gone(whole, N) && all_gone(upper, N / 2));
	CHECK(all_gone(middle, N / 2) && all_gone(last, 1));
	CHECK(right(last, N - 1, 1) && right(middle, N / 4, N / 2) &&
	      right(upper, N / 2, N / 2) && right(whole, 0, N));
	unmap(whole, N);
	unmap(middle, N / 2);
	unmap(upper, N / 2);
	unmap(last, 1);
	sys_handle_close(mem);
	lab_part("windows");
}

/* What is left of a mapping that was cut in two. */
static void find_pieces(void)
{
	handle_t mem = (handle_t)sys_mem_create(N, 0);
	volatile uint64_t *at = map(mem, 0, N);

	fill(at, 0, N);
	unmap(page(at, 8), 4);
	reclaim_all();
	CHECK(all_gone(at, 8) && all_gone(page(at, 12), N - 12));
	CHECK(right(at, 0, 8) && right(page(at, 12), 12, N - 12));
	unmap(at, N);
	sys_handle_close(mem);
	lab_part("pieces");
}

/* `rmaplab child`: maps the object that it was given, says that it has read
 * it, and looks again when it is told that all was reclaimed. */
static int child(void)
{
	handle_t mem = startup->extra[0], ntfn = startup->extra[1];
	volatile uint64_t *at = map(mem, 0, N);
	bool good = right(at, 0, N);

	sys_ntfn_signal(ntfn, 1);
	sys_ntfn_wait(ntfn, 2, 0, NULL);
	return good && all_gone(at, N) && right(at, 0, N) ? 0 : 1;
}

static void find_tasks(void)
{
	char *argv[] = { "rmaplab", "child", NULL };
	handle_t mem = (handle_t)sys_mem_create(N, 0);
	handle_t ntfn = (handle_t)sys_ntfn_create();
	const struct spawn_options options = { .privileged = true,
					       .extra = { mem, ntfn } };
	volatile uint64_t *at = map(mem, 0, N);
	struct child other;
	int status = -1;

	fill(at, 0, N);
	CHECK(spawn("rmaplab", argv, &options, &other) == 0);
	sys_ntfn_wait(ntfn, 1, 0, NULL);
	reclaim_all();
	CHECK(all_gone(at, N));
	sys_ntfn_signal(ntfn, 2);
	CHECK(child_wait(&other, &status) == 0 && status == 0);
	unmap(at, N);
	sys_handle_close(mem);
	sys_handle_close(ntfn);
	lab_part("tasks");
}

static void find(void)
{
	find_one();
	find_windows();
	find_pieces();
	find_tasks();
}

/* ---- dirty --------------------------------------------------------------- */
static void dirty(void)
{
	handle_t mem = (handle_t)sys_mem_create(N, 0);
	volatile uint64_t *first = map(mem, 0, N), *second = map(mem, 0, N);

	for (unsigned round = 1; round <= 6; round++) {
		volatile uint64_t *by = round % 2 ? first : second;
		volatile uint64_t *not_by = round % 2 ? second : first;

		/* The other mapping has it, and clean. */
		for (unsigned i = 0; i < N; i++)
			(void)*page(not_by, i);
		for (unsigned i = 0; i < N; i++)
			page(by, i)[round] = round * N + i;
		reclaim_all();
		CHECK(all_gone(by, N) && all_gone(not_by, N));
		for (unsigned i = 0; i < N; i++)
			CHECK(page(not_by, i)[round] == round * N + i);
	}
	lab_part("either");
	/* A look at A takes D from nobody. */
	fill(first, 0, N);
	sys_sys_ctl(WEIR_CTL_RECLAIM, 1, 0);
	sys_sys_ctl(WEIR_CTL_RECLAIM, 1, 0);
	reclaim_all();
	CHECK(all_gone(second, N));
	CHECK(right(second, 0, N));
	lab_part("aged");
	unmap(first, N);
	unmap(second, N);
	sys_handle_close(mem);
}

/* ---- second -------------------------------------------------------------- */
#define COLD 1536u
#define WARM 3u
#define ROUNDS 9u

/* Some pages are read all the time while others are reclaimed. */
static void second(void)
{
	volatile uint64_t *hot = pages_map(N, NULL), *cold = pages_map(COLD,
									NULL);
	uint64_t gone = 0, cold_gone = 0;

	fill(hot, 0, N);
	fill(cold, 0, COLD);
	/* What is new is not used yet. */
	for (unsigned r = 0; r < WARM; r++) {
		sys_sys_ctl(WEIR_CTL_RECLAIM, 32, 0);
		pages_gone(hot, N);
	}
	for (unsigned r = 0; r < ROUNDS; r++) {
		sys_sys_ctl(WEIR_CTL_RECLAIM, 32, 0);
		gone += pages_gone(hot, N);
	}
	for (unsigned i = 0; i < COLD; i++)
		cold_gone += !present(page(cold, i));
	printf("second: %llu of %u used pages went, %llu of %u unused\n",
	       (unsigned long long)gone, N * ROUNDS,
	       (unsigned long long)cold_gone, COLD);
	CHECK(cold_gone > COLD / 4);
	CHECK(gone < N);
	lab_part("second");
}

int main(int argc, char **argv)
{
	static const struct lab_scene all[] = {
		{ "find", find }, { "dirty", dirty },
		{ "second", second },
		{ NULL, NULL },
	};

	if (argc == 2 && strcmp(argv[1], "child") == 0)
		return child();
	return lab_play(argc, argv, all);
}
