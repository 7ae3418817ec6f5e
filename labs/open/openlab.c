/*
 * openlab.c - lab open: how many interrupts does a reclaimed page cost?
 *
 *   openlab [seed=N] [limit=N] [steps=N]
 *
 * A thread on every CPU reads and writes pages of one object that is half as
 * large again as memory: most of the time a few that it likes, now and then
 * any. Each page has a word for each thread, which only that one writes, so
 * that every lost store is found in the end. Prints a line
 *
 *   score ipis-per-1000-pages F rounds-per-1000-pages F pages N lost N
 *
 * Exit status 1: something was lost, too little was reclaimed to count, or
 * the first number is above `limit` (0: none).
 */
#include "labs/lab.h"

#define PAGE WEIR_PAGE_SIZE
#define WORDS (PAGE / 8)
#define MAXT 16
#define LIKED 96u /* pages that a thread stays with */
#define STAY 2000u

static struct weir_system sys;
static struct ubarrier barrier;
static volatile uint64_t *region;
static uint64_t npages, seed = 1, limit, steps = 150000;
static uint64_t *stored[MAXT]; /* what each thread's words must be */
static uint64_t lost;

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static volatile uint64_t *word(uint64_t p, unsigned id)
{
	return region + p * WORDS + id * 8;
}

static void work(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;
	uint64_t state = seed * 0x9e3779b97f4a7c15ull + id + 1, first = 0;

	for (uint64_t i = 0; i < steps; i++) {
		uint64_t draw = next(&state), p;

		if (i % STAY == 0)
			first = draw / 64 % npages;
		p = draw % 64 ? (first + draw / 64 % LIKED) % npages :
				draw / 64 % npages;
		if (*word(p, id) != stored[id][p])
			__atomic_add_fetch(&lost, 1, __ATOMIC_RELAXED);
		if (draw >> 32 & 1)
			*word(p, id) = stored[id][p] = i + 1;
	}
	ubarrier_wait(&barrier, id);
	for (uint64_t p = 0; p < npages; p++)
		if (*word(p, id) != stored[id][p])
			__atomic_add_fetch(&lost, 1, __ATOMIC_RELAXED);
}

static bool run(struct counters *c)
{
	struct uthread *t[MAXT];
	struct counters before, after;

	counters_read(&before);
	for (uintptr_t id = 1; id < sys.cpus; id++) {
		t[id] = uthread_start(work, (void *)id, (int)id);
		if (!t[id])
			return false;
	}
	uthread_pin(0);
	work(NULL);
	for (unsigned id = 1; id < sys.cpus; id++)
		uthread_join(t[id]);
	counters_read(&after);
	counters_diff(c, &after, &before);
	return true;
}

/* N / pages * 1000, with one decimal: tenths. */
static uint64_t tenths(uint64_t n, uint64_t pages)
{
	return pages ? n * 10000 / pages : 0;
}

int main(int argc, char **argv)
{
	struct counters c = { 0 };
	uint64_t pages, ipis, rounds;

	for (int i = 1; i < argc; i++)
		if (!arg_u64(argv[i], "seed", &seed) &&
		    !arg_u64(argv[i], "limit", &limit) &&
		    !arg_u64(argv[i], "steps", &steps))
			return STATUS_USAGE;
	system_read(&sys);
	npages = (sys.frames_free + sys.frames_anon) / 2 * 3;
	if (sys.cpus > MAXT)
		return STATUS_USAGE;
	region = pages_map(npages, NULL);
	for (unsigned id = 0; id < sys.cpus; id++)
		stored[id] = calloc(npages, sizeof(uint64_t));
	ubarrier_init(&barrier, NULL, sys.cpus);
	CHECK(region && run(&c));
	pages = c.v[WEIR_C_pgsteal];
	ipis = tenths(c.v[WEIR_C_ipi_sent], pages);
	rounds = tenths(c.v[WEIR_C_nr_tlb_remote_flush], pages);
	printf("score ipis-per-1000-pages %llu.%llu rounds-per-1000-pages "
	       "%llu.%llu pages %llu lost %llu\n",
	       (unsigned long long)ipis / 10, (unsigned long long)ipis % 10,
	       (unsigned long long)rounds / 10,
	       (unsigned long long)rounds % 10, (unsigned long long)pages,
	       (unsigned long long)lost);
	CHECK(lost == 0);
	CHECK(pages >= npages / 4);
	/* Targets count, too; a few requests may share an interrupt. */
	CHECK(4 * c.v[WEIR_C_ipi_sent] >=
	      c.v[WEIR_C_nr_tlb_remote_flush_received]);
	CHECK(!limit || ipis <= limit * 10);
	return lab_end();
}
