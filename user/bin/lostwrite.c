/*
 * lostwrite.c - does reclaim ever lose a store, or show an old page?
 *
 *   lostwrite [--json] [threads=N] [seconds=N] [W=MiB] [seed=N]
 *             [variant=threads|procs]
 *
 * Workers on every CPU increment 64-bit counters in pages of one object that
 * is larger than RAM, each its own word of a page, with plain loads and
 * stores, and count the same in local variables per hash of the page. At the
 * end the words must add up to what was counted. Each page also bears a tag.
 * Workers are threads of one task, or tasks that map the same object.
 *
 * A store gets lost where a translation outlives its page, so workers stay
 * in a window of pages long enough for these to look idle: the TLB answers,
 * and the accessed bits stay clear. Two pressers, tasks of their own so that
 * what is taken from them flushes only their CPUs, run over pages of their
 * own and ask for reclaim. Exit status 1: a store was lost, or a tag wrong.
 */
#include <stdio.h>
#include <string.h>

#include "user/bench/bench.h"

#define PAGE WEIR_PAGE_SIZE
#define WORDS (PAGE / 8)
#define TAG (WORDS - 1) /* the word that says which page this is */
#define PRESSERS 2
#define MAXW 64 /* workers and pressers */
#define BUCKETS 8
#define WINDOW 64 /* pages that a worker stays in */
#define SLICES 16 /* of the run; each in the next mode */
#define SHARED_PAGES 4

/* What all do in a slice of time. */
enum mode {
	STORE,  /* increment every page of the window, again and again */
	SPARSE, /* read every page; a store now and then: the first store to a
		 * clean page sets its dirty bit, perhaps just too late */
	READ,   /* nobody stores: whole batches of clean pages are taken */
	ROAM,   /* as STORE, and other pages in between */
	NMODES
};

/* What the workers share: their barrier, their orders, their counts. */
struct shared {
	struct ubarrier_state barrier;
	uint64_t start, deadline; /* ns */
	uint64_t count[MAXW][BUCKETS];
	uint64_t wrong[MAXW];
};
_Static_assert(sizeof(struct shared) <= SHARED_PAGES * PAGE, "too large");

struct worker {
	unsigned id;    /* and the word that it owns */
	uint64_t state; /* of its random numbers */
	uint64_t count[BUCKETS];
	uint64_t wrong; /* tags of some other page */
};

static struct weir_system sys;
static struct shared *shared;
static handle_t shared_handle, region_handle;
static struct ubarrier barrier;
static volatile uint64_t *region;
static uint64_t npages;
static uint64_t T, seconds = 4, W, seed;
static bool procs, json;
static struct child children[MAXW];
static struct uthread *threads[MAXW];

static void die(const char *what)
{
	printf("lostwrite: %s\n", what);
	exit(1);
}

static uint64_t rnd(struct worker *w)
{
	w->state ^= w->state >> 12;
	w->state ^= w->state << 25;
	w->state ^= w->state >> 27;
	return w->state * 0x2545f4914f6cdd1dull >> 16;
}

static unsigned bucket(uint64_t page)
{
	return page * 0x9e3779b97f4a7c15ull >> 61;
}
_Static_assert(BUCKETS == 1 << (64 - 61), "bucket() yields three bits");

/* ---- the workers ------------------------------------------------------- */

static uint64_t tag_of(uint64_t page)
{
	return (page + 1) * 0x9e3779b97f4a7c15ull;
}

/* Reads the page; is it the right one? 0: nobody has written to it yet. */
static inline uint64_t look(struct worker *w, uint64_t page)
{
	uint64_t tag = region[page * WORDS + TAG];

	if (tag && tag != tag_of(page))
		w->wrong++;
	return tag;
}

/* One increment: a load and a store of a word that only we write. */
static inline void increment(struct worker *w, uint64_t page)
{
	volatile uint64_t *word = region + page * WORDS + w->id;

	if (!look(w, page))
		region[page * WORDS + TAG] = tag_of(page);
	*word = *word + 1;
	w->count[bucket(page)]++;
}

static uint64_t slice_length(void)
{
	return seconds * 1000000000 / SLICES;
}

/* One slice of a worker's time, in a window of its pages in [0, half) that
 * it shares with its neighbour, until the clock says `until`. */
static void stay(struct worker *w, unsigned slice, uint64_t until)
{
	struct worker pair = { .state = (seed + slice / NMODES * 64 +
					 w->id / 2) * 0x9e3779b97f4a7c15ull |
					1 };
	uint64_t half = npages / 2, base = rnd(&pair) % (half - WINDOW + 1);
	enum mode mode = slice % NMODES;

	do {
		for (unsigned turn = 0; turn < 16; turn++)
			for (uint64_t i = 0; i < WINDOW; i++)
				if (mode == STORE || mode == ROAM)
					increment(w, base + i);
				else
					look(w, base + i);
		if (mode == SPARSE && rnd(w) % 16 == 0)
			increment(w, base + rnd(w) % WINDOW);
		if (mode == ROAM)
			increment(w, rnd(w) % npages);
	} while (now_ns() < until);
}

/* Writes to fresh pages, sees whether they stay, throws them away. */
static void scratch(struct worker *w)
{
	volatile uint64_t *page = pages_map(WINDOW, NULL);

	if (!page)
		return;
	for (unsigned i = 0; i < WINDOW; i++)
		page[i * WORDS] = tag_of(i);
	sleep_ns(1000000);
	for (unsigned i = 0; i < WINDOW; i++)
		w->wrong += page[i * WORDS] != tag_of(i);
	pages_unmap((void *)page, WINDOW);
}

/* A slice of a presser's time. Except while all roam, the first one only
 * takes away: soon hardly a page is left but those that workers use, and
 * these are aged and taken again and again. The second one needs the frames:
 * for its pages, [half, npages), or for fresh ones, so that a batch has
 * pages of several spaces. */
static void press(struct worker *w, unsigned slice, uint64_t until)
{
	uint64_t half = npages / 2;
	enum mode mode = slice % NMODES;

	do {
		bool taker = w->id == T &&
			     sys_sys_ctl(WEIR_CTL_RECLAIM, 64, 0) >= 0;

		if (taker && mode != ROAM)
			continue;
		if (mode == STORE || mode == SPARSE) {
			scratch(w);
			continue;
		}
		for (unsigned i = 0; i < 16; i++) {
			uint64_t page = half + rnd(w) % (npages - half);

			if (mode == READ)
				look(w, page);
			else
				increment(w, page);
		}
	} while (now_ns() < until);
}

static void sleep_until(uint64_t ns)
{
	uint64_t now = now_ns();

	if (now < ns)
		sleep_ns(ns - now);
}

static void work(void *arg)
{
	struct worker w = { .id = (uintptr_t)arg };
	uint64_t now;

	w.state = (seed * 1000003 + w.id + 1) * 0x9e3779b97f4a7c15ull | 1;
	ubarrier_wait(&barrier, w.id);
	while ((now = now_ns()) < shared->deadline) {
		unsigned slice = (now - shared->start) / slice_length();
		uint64_t until = shared->start + (slice + 1) * slice_length();

		if (w.id >= T)
			press(&w, slice, until);
		else if (w.id == 0 && sys.cpus > 1 && T > 1 &&
			 slice % NMODES != ROAM)
			sleep_until(until); /* CPU 0 is the pressers' */
		else
			stay(&w, slice, until);
	}
	memcpy(shared->count[w.id], w.count, sizeof(w.count));
	shared->wrong[w.id] = w.wrong;
	ubarrier_wait(&barrier, w.id);
}

/* ---- tasks ------------------------------------------------------------- */

/* Waits for the end of one worker task. One that failed would leave the
 * others at the barrier for ever, so it ends them all. */
static void watch(void *arg)
{
	unsigned id = (uintptr_t)arg;
	struct child c = children[id];
	int status = 0;

	if (child_wait(&c, &status) == 0 && status == 0)
		return;
	printf("lostwrite: worker %u ended with status %d\n", id, status);
	for (unsigned i = 0; i < T + PRESSERS; i++)
		if (i != id && children[i].task)
			sys_task_kill(children[i].task, 1);
	exit(1);
}

static void start_task(unsigned id)
{
	char word[5][40];
	char *argv[] = { "lostwrite", "--worker", word[0], word[1], word[2],
			 word[3], word[4], NULL };
	struct spawn_options options = {
		.privileged = true,
		.no_console = true,
		.no_initrd = true,
		.extra = { [EXTRA_SHARED] = shared_handle,
			   [EXTRA_NTFN0] = barrier.ntfn[0],
			   [EXTRA_NTFN1] = barrier.ntfn[1],
			   [EXTRA_REGION] = region_handle },
	};
	const uint64_t value[5] = { id, T, W, seconds, seed };
	static const char *const key[5] = { "id", "threads", "W", "seconds",
					    "seed" };

	for (unsigned i = 0; i < 5; i++)
		snprintf(word[i], sizeof(word[i]), "%s=%llu", key[i],
			 (unsigned long long)value[i]);
	long status = spawn("lostwrite", argv, &options, &children[id]);

	if (status == -WEIR_EPERM) { /* we are not privileged ourselves */
		options.privileged = false;
		status = spawn("lostwrite", argv, &options, &children[id]);
	}
	if (status < 0)
		die(spawn_error());
	threads[id] = uthread_start(watch, (void *)(uintptr_t)id, -1);
}

static int worker_main(unsigned id)
{
	shared = bench_map_extra(EXTRA_SHARED, SHARED_PAGES);
	region = bench_map_extra(EXTRA_REGION, npages);
	if (!shared || !region || id >= T + PRESSERS)
		return 1;
	barrier.state = &shared->barrier;
	barrier.ntfn[0] = startup->extra[EXTRA_NTFN0];
	barrier.ntfn[1] = startup->extra[EXTRA_NTFN1];
	/* Pressers keep to the first CPUs: to run one empties the TLB. */
	uthread_pin(id < T ? id % sys.cpus : (id - T) % ((sys.cpus + 3) / 4));
	work((void *)(uintptr_t)id);
	return 0;
}

/* ---- the judge --------------------------------------------------------- */

/* By how much words and counts differ, summed over words and buckets. */
static uint64_t judge(uint64_t *increments)
{
	static uint64_t found[MAXW][BUCKETS];
	uint64_t lost = 0;

	*increments = 0;
	for (uint64_t p = 0; p < npages; p++)
		for (unsigned id = 0; id < T + PRESSERS; id++)
			found[id][bucket(p)] += region[p * WORDS + id];
	for (unsigned id = 0; id < T + PRESSERS; id++)
		for (unsigned b = 0; b < BUCKETS; b++) {
			uint64_t want = shared->count[id][b];

			*increments += want;
			lost += want > found[id][b] ? want - found[id][b] :
						      found[id][b] - want;
		}
	return lost;
}

/* Tags of other pages: seen by workers, or still there now. */
static uint64_t judge_tags(void)
{
	struct worker w = { 0 };

	for (uint64_t p = 0; p < npages; p++)
		look(&w, p);
	for (unsigned id = 0; id < T + PRESSERS; id++)
		w.wrong += shared->wrong[id];
	return w.wrong;
}

static int report(const struct counters *c, uint64_t ns)
{
	struct bench_result *result =
		bench_map_extra(EXTRA_RESULT, BENCH_RESULT_PAGES);
	uint64_t wrong = judge_tags();
	uint64_t increments, lost = judge(&increments);
	const char *format = json ?
		"{\"threads\":%llu,\"pages\":%llu,\"increments\":%llu,"
		"\"lost\":%llu,\"wrong\":%llu,\"policy\":\"%s\","
		"\"variant\":\"%s\",\"ncpu\":%u,\"pswpout\":%llu,"
		"\"pswpin\":%llu,\"nr_tlb_remote_flush\":%llu,"
		"\"elapsed_ns\":%llu}\n" :
		"lostwrite: %llu threads, %llu pages, %llu increments, "
		"%llu lost, %llu wrong pages seen;\n           policy %s, %s "
		"on %u CPUs, %llu pages out, %llu in, %llu flush rounds, "
		"%llu ns\n";

	if (result) {
		result->increments = increments;
		result->lost = lost + wrong;
	} else {
		printf(format, (unsigned long long)T,
		       (unsigned long long)npages,
		       (unsigned long long)increments,
		       (unsigned long long)lost, (unsigned long long)wrong,
		       policy_names[sys.policy],
		       procs ? "procs" : "threads", sys.cpus,
		       (unsigned long long)c->v[WEIR_C_pswpout],
		       (unsigned long long)c->v[WEIR_C_pswpin],
		       (unsigned long long)c->v[WEIR_C_nr_tlb_remote_flush],
		       (unsigned long long)ns);
	}
	return lost || wrong;
}

/* ---- start ------------------------------------------------------------- */

static void usage(const char *arg)
{
	printf("lostwrite: bad argument '%s'\n"
	       "usage: lostwrite [--json] [threads=1..62] [seconds=1..3600]"
	       " [W=MiB] [seed=N]\n                 "
	       "[variant=threads|procs]\n", arg);
	exit(STATUS_USAGE);
}

/* Reads the arguments; returns the number of a worker task, or -1. */
static int parse(int argc, char **argv)
{
	bool is_worker = false;
	uint64_t id = 0;
	const char *s;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json"))
			json = true;
		else if (!strcmp(argv[i], "--worker"))
			is_worker = true;
		else if (arg_str(argv[i], "variant", &s) &&
			 (!strcmp(s, "threads") || !strcmp(s, "procs")))
			procs = *s == 'p';
		else if (!arg_u64(argv[i], "threads", &T) &&
			 !arg_u64(argv[i], "seconds", &seconds) &&
			 !arg_u64(argv[i], "W", &W) &&
			 !arg_u64(argv[i], "seed", &seed) &&
			 !arg_u64(argv[i], "id", &id))
			usage(argv[i]);
	}
	if (T < 1 || T > MAXW - PRESSERS)
		usage("threads");
	if (seconds < 1 || seconds > 3600)
		usage("seconds");
	if (W < 1 || W > 1 << 19)
		usage("W");
	npages = W << 8;
	return is_worker ? (int)id : -1;
}

static void start_all(void)
{
	if (ubarrier_init(&barrier, &shared->barrier, T + PRESSERS + 1) < 0)
		die("no barrier");
	for (unsigned id = 0; id < T + PRESSERS; id++) {
		if (procs || id >= T)
			start_task(id);
		else
			threads[id] = uthread_start(work,
						    (void *)(uintptr_t)id,
						    id % sys.cpus);
		if (!threads[id])
			die("cannot start a thread");
	}
}

int main(int argc, char **argv)
{
	struct counters before, after, count;
	uint64_t start;
	int id;

	system_read(&sys);
	T = sys.cpus < MAXW - PRESSERS ? sys.cpus : MAXW - PRESSERS;
	W = bench_default_pages(&sys) >> 8;
	seed = sys.seed;
	id = parse(argc, argv);
	if (id >= 0)
		return worker_main(id);
	shared = pages_map(SHARED_PAGES, &shared_handle);
	region = pages_map(npages, &region_handle);
	if (!shared || !region)
		die("no memory for the region");
	start_all();
	counters_read(&before);
	start = now_ns();
	shared->start = start;
	shared->deadline = start + seconds * 1000000000;
	ubarrier_wait(&barrier, T + PRESSERS);
	ubarrier_wait(&barrier, T + PRESSERS);
	start = now_ns() - start;
	counters_read(&after);
	counters_diff(&count, &after, &before);
	for (unsigned i = 0; i < T + PRESSERS; i++)
		uthread_join(threads[i]);
	return report(&count, start);
}
