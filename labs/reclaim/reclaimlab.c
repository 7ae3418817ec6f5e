/*
 * reclaimlab.c - lab reclaim: what goes, what stays, what is written.
 *
 *   reclaimlab out     more pages than there is memory for keep their bytes
 *   reclaimlab clean   a page that was not written since it came back is
 *                      freed without being written again
 *   reclaimlab clock   pages that are used stay while others go by
 *   reclaimlab death   what dies while it is in swap, or on its way there,
 *                      leaves no frame and no slot behind
 *   reclaimlab race    all CPUs write to pages that are being taken
 *
 * Needs a privileged shell. Exit status 1: a line says what is not so.
 */
#include "labs/lab.h"

#define PAGE WEIR_PAGE_SIZE
#define WORDS (PAGE / 8)

static struct weir_system sys;

static volatile uint64_t *page(volatile uint64_t *base, uint64_t i)
{
	return base + i * WORDS;
}

static void fill(volatile uint64_t *at, uint64_t n, uint64_t tag)
{
	for (uint64_t i = 0; i < n; i++)
		for (uint64_t w = 0; w < WORDS; w += 63)
			page(at, i)[w] = tag + i * WORDS + w;
}

static uint64_t wrong(volatile uint64_t *at, uint64_t n, uint64_t tag)
{
	uint64_t bad = 0;

	for (uint64_t i = 0; i < n; i++)
		for (uint64_t w = 0; w < WORDS; w += 63)
			bad += page(at, i)[w] != tag + i * WORDS + w;
	return bad;
}

/* ---- out ----------------------------------------------------------------- */
static void out(void)
{
	uint64_t n;
	volatile uint64_t *at;

	system_read(&sys);
	n = (sys.frames_free + sys.frames_anon) / 4 * 6;
	at = pages_map(n, NULL);
	fill(at, n, 1);
	CHECK(wrong(at, n, 1) == 0);
	CHECK(counter(WEIR_C_pswpout) > n / 4);
	lab_part("once");
	fill(at, n, 2);
	CHECK(wrong(at, n, 2) == 0);
	pages_unmap((void *)at, n);
	lab_part("again");
}

/* ---- clean --------------------------------------------------------------- */
#define N 256u

static void clean(void)
{
	volatile uint64_t *at = pages_map(N, NULL);
	uint64_t before;

	fill(at, N, 3);
	reclaim_all();
	CHECK(!present(at));
	CHECK(counter(WEIR_C_pswpout) >= N);
	CHECK(wrong(at, N, 3) == 0);
	before = counter(WEIR_C_pswpout);
	reclaim_all();
	CHECK(!present(at));
	CHECK(counter(WEIR_C_pswpout) - before < N / 4);
	lab_part("clean");
	CHECK(wrong(at, N, 3) == 0);
	page(at, 7)[0] = 9;
	reclaim_all();
	CHECK(!present(page(at, 7)));
	CHECK(page(at, 7)[0] == 9);
	lab_part("dirty");
	pages_unmap((void *)at, N);
}

/* ---- clock --------------------------------------------------------------- */
#define HOT 128u
#define LAPS 3u

/* While more pages than there is memory for go by, some others are used. */
static void clock_hand(void)
{
	volatile uint64_t *hot = pages_map(HOT, NULL), *scan;
	uint64_t n, gone = 0;

	system_read(&sys);
	n = (sys.frames_free + sys.frames_anon) * 2;
	scan = pages_map(n, NULL);
	fill(hot, HOT, 4);
	for (uint64_t i = 0; i < LAPS * n; i++) {
		*page(scan, i % n) = i;
		if (i % 64 == 0)
			gone += pages_gone(hot, HOT);
	}
	printf("clock: %llu of %llu used pages went\n",
	       (unsigned long long)gone,
	       (unsigned long long)(LAPS * n / 64 * HOT));
	CHECK(counter(WEIR_C_pgsteal) > n / 4);
	CHECK(gone < 2 * HOT);
	CHECK(counter(WEIR_C_pgdeactivate) > 0);
	pages_unmap((void *)hot, HOT);
	pages_unmap((void *)scan, n);
	lab_part("clock");
}

/* ---- death --------------------------------------------------------------- */
static void death(void)
{
	struct account_sum before = { 0 }, after;

	for (unsigned round = 0; round < 4; round++) {
		volatile uint64_t *at = pages_map(N, NULL);

		fill(at, N, 5);
		if (!round)
			CHECK(account_settle(&before));
		reclaim_all();
		if (round % 2)
			CHECK(wrong(at, N / 2, 5) == 0);
		pages_unmap((void *)at, N);
	}
	CHECK(counter(WEIR_C_pswpout) >= N);
	pages_unmap(pages_map(N, NULL), N);
	CHECK(account_settle(&after));
	/* The first one's pages, or their slots, were counted before. */
	CHECK(after.frames + 2 >= before.frames);
	CHECK(after.slots <= before.slots);
	lab_part("death");
}

/* ---- race ---------------------------------------------------------------- */
#define ROUNDS 15u

static volatile uint64_t *shared;
static struct ubarrier barrier;

static void writer(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;

	for (unsigned r = 1; r <= ROUNDS; r++) {
		ubarrier_wait(&barrier, id);
		for (uint64_t i = 0; i < N; i++)
			page(shared, i)[id] += r;
		ubarrier_wait(&barrier, id);
	}
}

static void race(void)
{
	struct uthread *t[64];
	uint64_t bad = 0;

	system_read(&sys);
	shared = pages_map(N, NULL);
	ubarrier_init(&barrier, NULL, sys.cpus);
	for (uintptr_t id = 1; id < sys.cpus; id++)
		t[id] = uthread_start(writer, (void *)id, (int)id);
	for (unsigned r = 1; r <= ROUNDS; r++) {
		ubarrier_wait(&barrier, 0);
		sys_sys_ctl(WEIR_CTL_RECLAIM, N, 0);
		ubarrier_wait(&barrier, 0);
	}
	for (unsigned id = 1; id < sys.cpus; id++) {
		uthread_join(t[id]);
		for (uint64_t i = 0; i < N; i++)
			bad += page(shared, i)[id] != ROUNDS * (ROUNDS + 1) / 2;
	}
	CHECK(bad == 0);
	CHECK(counter(WEIR_C_pswpout) > N);
	pages_unmap((void *)shared, N);
	lab_part("race");
}

int main(int argc, char **argv)
{
	static const struct lab_scene all[] = {
		{ "out", out }, { "clean", clean },
		{ "clock", clock_hand }, { "death", death },
		{ "race", race },
		{ NULL, NULL },
	};

	return lab_play(argc, argv, all);
}
