/*
 * lru-mmap.c - several tasks read a mapped sparse file larger than memory.
 *
 *   lru-mmap [--json] [tasks=N] [W=MiB] [dirty=PERCENT] [passes=N] [seed=N]
 *
 * The workload of the series that deferred TLB flushing comes from
 * (lru-file-mmap-read and -randread): a paged object whose pager supplies
 * zero pages, mapped by every task. First each reads all of it in order, from
 * a start of its own, `passes` times, then as many pages at random. Nothing
 * is written, so all that reclaim takes is clean; with `dirty` that share of
 * the touches is a store, and the pager, a thread a CPU, keeps what comes
 * back. Exit status 1: a page had other contents than it must.
 */
#include <stdio.h>
#include <string.h>

#include "user/bench/bench.h"
#include "user/lib/pager.h"

#define PAGE WEIR_PAGE_SIZE
#define WORDS (PAGE / sizeof(uint64_t))
#define MAXT 32

enum { SEQUENTIAL, RANDOM, NPHASES };
static const char *const phase_names[NPHASES] = { "sequential", "random" };

/* In memory that all share. Each task has a word of each page to store in;
 * `stores` counts what it stored. */
static struct shared {
	struct ubarrier_state barrier;
	uint64_t wrong[MAXT], stores[MAXT];
} *shared;

static struct weir_system sys;
static struct ubarrier barrier;
static handle_t shared_handle;
static struct child children[MAXT];
static volatile uint64_t *file;
static uint64_t T, W, dirty, passes = 1, seed, npages;
static bool json;

static uint64_t random_of(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* ---- the pager: what was stored, word by word ---------------------------- */

static uint64_t *kept; /* MAXT words a page */

static long supply(void *arg, uint64_t page, void *bytes)
{
	(void)arg;
	memcpy(bytes, kept + page * MAXT, MAXT * sizeof(*kept));
	return 0;
}

static long keep(void *arg, uint64_t page, const void *bytes)
{
	(void)arg;
	memcpy(kept + page * MAXT, bytes, MAXT * sizeof(*kept));
	return 0;
}

/* ---- a task -------------------------------------------------------------- */

static void touch(unsigned id, uint64_t page, uint64_t *s)
{
	volatile uint64_t *p = file + page * WORDS;

	if (dirty && random_of(s) % 100 < dirty) {
		p[id]++;
		shared->stores[id]++;
	}
	/* Behind the tasks' words the file is a hole. */
	shared->wrong[id] += p[MAXT + page % (WORDS - MAXT)] != 0;
}

static void work(unsigned id)
{
	uint64_t s = (seed * 1000003 + id) * 2654435761u | 1;

	ubarrier_wait(&barrier, id); /* everybody exists */
	for (unsigned phase = 0; phase < NPHASES; phase++) {
		ubarrier_wait(&barrier, id);
		for (uint64_t i = 0; i < passes * npages; i++)
			touch(id, phase == RANDOM ?
			      random_of(&s) % npages :
			      (i + id * npages / T) % npages, &s);
		ubarrier_wait(&barrier, id);
	}
}

static int worker(unsigned id)
{
	shared = bench_map_extra(EXTRA_SHARED, 1);
	file = bench_map_extra(EXTRA_REGION, npages);
	if (!shared || !file || id >= T)
		return 1;
	barrier.state = &shared->barrier;
	barrier.ntfn[0] = startup->extra[EXTRA_NTFN0];
	uthread_pin((int)(id % sys.cpus));
	work(id);
	return 0;
}

static bool start_task(unsigned id, handle_t file_handle)
{
	char word[6][40];
	char *argv[] = { "lru-mmap", "--worker", word[0], word[1], word[2],
			 word[3], word[4], word[5], NULL };
	static const char *const key[6] = { "id", "tasks", "W", "dirty",
					    "passes", "seed" };
	const uint64_t value[6] = { id, T, W, dirty, passes, seed };
	struct spawn_options options = {
		.no_console = true, .no_initrd = true,
		.extra = { [EXTRA_SHARED] = shared_handle,
			   [EXTRA_NTFN0] = barrier.ntfn[0],
			   [EXTRA_REGION] = file_handle },
	};

	for (unsigned i = 0; i < 6; i++)
		snprintf(word[i], sizeof(word[i]), "%s=%llu", key[i],
			 (unsigned long long)value[i]);
	return spawn("lru-mmap", argv, &options, &children[id]) == 0;
}

/* ---- output -------------------------------------------------------------- */

static void print(unsigned phase, uint64_t ns, const struct counters *c)
{
	const uint64_t *v = c->v;
	uint64_t rounds = v[WEIR_C_nr_tlb_remote_flush];
	const char *format = json ?
		"{\"phase\":\"%s\",\"policy\":\"%s\",\"ncpu\":%u,\"T\":%llu,"
		"\"W_mib\":%llu,\"dirty\":%llu,\"elapsed_ns\":%llu,"
		"\"pgsteal\":%llu,\"pager_in\":%llu,\"pager_out\":%llu,"
		"\"nr_tlb_remote_flush\":%llu,\"ipi_sent\":%llu,"
		"\"rounds_per_1000\":%llu}\n" :
		"%-10s %-11s %4u %5llu %5llu %5llu %12llu %9llu %8llu %8llu "
		"%7llu %7llu %6llu\n";

	if (!json && phase == 0)
		printf("%-10s %-11s %4s %5s %5s %5s %12s %9s %8s %8s %7s %7s "
		       "%6s\n", "phase", "policy", "CPUs", "tasks", "MiB",
		       "dirty", "ns", "reclaimed", "in", "out", "rounds",
		       "IPIs", "r/1000");
	printf(format, phase_names[phase], policy_names[sys.policy], sys.cpus,
	       (unsigned long long)T, (unsigned long long)W,
	       (unsigned long long)dirty, (unsigned long long)ns,
	       (unsigned long long)v[WEIR_C_pgsteal],
	       (unsigned long long)v[WEIR_C_pager_in],
	       (unsigned long long)v[WEIR_C_pager_out],
	       (unsigned long long)rounds,
	       (unsigned long long)v[WEIR_C_ipi_sent],
	       (unsigned long long)per_1000(rounds, v[WEIR_C_pgsteal]));
}

/* Every store must be found again, and nothing else. */
static uint64_t judge(void)
{
	uint64_t found[MAXT] = { 0 }, wrong = 0;

	for (uint64_t p = 0; p < npages; p++)
		for (unsigned id = 0; id < T; id++)
			found[id] += file[p * WORDS + id];
	for (unsigned id = 0; id < T; id++)
		wrong += shared->wrong[id] + (found[id] != shared->stores[id]);
	return wrong;
}

/* ---- start --------------------------------------------------------------- */

static int parse(int argc, char **argv)
{
	bool is_worker = false;
	uint64_t id = 0;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--json"))
			json = true;
		else if (!strcmp(argv[i], "--worker"))
			is_worker = true;
		else if (!arg_u64(argv[i], "tasks", &T) &&
			 !arg_u64(argv[i], "W", &W) &&
			 !arg_u64(argv[i], "dirty", &dirty) &&
			 !arg_u64(argv[i], "passes", &passes) &&
			 !arg_u64(argv[i], "seed", &seed) &&
			 !arg_u64(argv[i], "id", &id))
			return -2;
	if (T < 1 || T > MAXT || W < 1 || W > 1 << 18 || dirty > 100)
		return -2;
	npages = W << 8;
	return is_worker ? (int)id : -1;
}

static int run(handle_t file_handle)
{
	struct counters before, after, count;
	uint64_t start;
	int status;

	for (unsigned id = 0; id < T; id++)
		if (!start_task(id, file_handle)) {
			printf("lru-mmap: %s\n", spawn_error());
			return 1;
		}
	ubarrier_wait(&barrier, (unsigned)T);
	for (unsigned phase = 0; phase < NPHASES; phase++) {
		counters_read(&before);
		start = now_ns();
		ubarrier_wait(&barrier, (unsigned)T);
		ubarrier_wait(&barrier, (unsigned)T);
		counters_read(&after);
		counters_diff(&count, &after, &before);
		print(phase, now_ns() - start, &count);
	}
	for (unsigned id = 0; id < T; id++)
		if (child_wait(&children[id], &status) < 0 || status)
			return 1;
	if (!judge())
		return 0;
	printf("lru-mmap: pages with wrong contents\n");
	return 1;
}

int main(int argc, char **argv)
{
	struct upager pager = { .read = supply, .write = keep };
	int id;

	system_read(&sys);
	T = sys.cpus < MAXT ? sys.cpus : MAXT;
	W = 2 * sys.frames_total >> 8;
	seed = sys.seed;
	id = parse(argc, argv);
	if (id == -2) {
		printf("usage: lru-mmap [--json] [tasks=1..32] [W=MiB] "
		       "[dirty=PERCENT] [passes=N] [seed=N]\n");
		return STATUS_USAGE;
	}
	if (id >= 0)
		return worker((unsigned)id);
	kept = pages_map((npages * MAXT * sizeof(*kept) + PAGE - 1) / PAGE,
			 NULL);
	shared = pages_map(1, &shared_handle);
	pager.npages = npages;
	pager.nthreads = sys.cpus < UPAGER_THREADS ? sys.cpus : UPAGER_THREADS;
	if (!kept || !shared || upager_start(&pager) < 0) {
		printf("lru-mmap: no memory\n");
		return 1;
	}
	file = (volatile uint64_t *)sys_mem_map(startup->self, pager.mem, 0, 0,
						npages, WEIR_P_READ);
	if ((long)file < 0 ||
	    ubarrier_init(&barrier, &shared->barrier, (unsigned)T + 1) < 0)
		return 1;
	return run(pager.mem);
}
