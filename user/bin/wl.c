/*
 * wl.c - the reclaim workload: populate, read-rand, write-rand, sweep.
 *
 *   wl [--json] [T=N] [W=MiB] [variant=threads|procs] [ops=N] [seed=N]
 *      [dirty=PERCENT] [policy=NAME] [clean=N]
 *   wl [--json] trace=KIND:PAGES[:EIGHTHS] [ops=N] [seed=N]
 *
 * The phases are those of user/bench/wl_core.h; here is what they need of
 * an operating system. T threads work in one address space, or T tasks in
 * one of W/T MiB each. --json: an object a phase with the field names of the
 * Linux peer; null: Weir does not count that. clean=N adds a phase of N
 * random reads while nearly every page is clean (for demo the sweep is then
 * only a check, under two-pass). Exit status 1: a page had wrong contents,
 * or an increment was lost.
 */
#include <stdio.h>
#include <string.h>

#include "user/bench/bench.h"
#include "user/bench/wl_core.h"

/* ---- Weir ------------------------------------------------------------- */
#define SHM_PAGES ((sizeof(struct shm) + PAGE - 1) / PAGE)
static struct shm {
	struct ubarrier_state barrier;
	struct shared s;
} *shm;

static struct weir_system sys;
static struct ubarrier barrier;
static handle_t shm_handle;
static struct uthread *threads[MAXT]; /* workers, or watchers of tasks */
static struct child children[MAXT];
static void (*worker_fn)(unsigned);
static struct bench_result *result; /* NULL: print */
static uint64_t clean_ops; /* 0: no phase read-clean */
static bool json, failed;

_Static_assert(BENCH_PHASES == WL_PHASES, "phases");
_Static_assert(WEIR_NCOUNTERS <= NSTAT, "struct stats is too small");

static void die(const char *what)
{
	printf("wl: %s\n", what);
	exit(1);
}

static void *os_map(uint64_t bytes)
{
	void *p = pages_map(bytes / PAGE, NULL);

	if (!p)
		die("no memory for the region");
	return p;
}

static uint64_t os_ns(void)
{
	return now_ns();
}

/* Of all threads; the others of wl wait meanwhile. */
static uint64_t os_majors(void)
{
	struct counters c;

	counters_read(&c);
	return c.v[WEIR_C_pgmajfault];
}

static struct shared *os_shared(void)
{
	return &shm->s;
}

static void os_barrier_init(unsigned n)
{
	if (ubarrier_init(&barrier, &shm->barrier, n) < 0)
		die("no barrier");
}

static void os_barrier(unsigned id)
{
	ubarrier_wait(&barrier, id);
}

static void os_stats(struct stats *s)
{
	struct counters c;

	counters_read(&c);
	memcpy(s->v, c.v, sizeof(c.v));
}

static void thread_main(void *arg)
{
	worker_fn((unsigned)(uintptr_t)arg);
}

/* Waits for the end of one worker task. One that failed would leave the
 * others at the barrier for ever, so it ends them all. */
static void watch_task(void *arg)
{
	unsigned id = (uintptr_t)arg;
	struct child c = children[id];
	int status = 0;

	if (child_wait(&c, &status) == 0 && status == 0)
		return;
	printf("wl: worker %u ended with status %d\n", id, status);
	for (unsigned i = 0; i < P.T; i++)
		if (i != id && children[i].task)
			sys_task_kill(children[i].task, 1);
	exit(1);
}

static void start_task(unsigned id)
{
	char word[6][40];
	char *argv[] = { "wl", "--worker", word[0], word[1], word[2],
			 word[3], word[4], word[5], NULL };
	struct spawn_options options = {
		.no_console = true,
		.no_initrd = true,
		.extra = { [EXTRA_SHARED] = shm_handle,
			   [EXTRA_NTFN0] = barrier.ntfn[0],
			   [EXTRA_NTFN1] = barrier.ntfn[1] },
	};
	const uint64_t value[6] = { id, P.T, P.W, P.ops, P.seed, P.dirty };
	static const char *const key[6] = { "id", "T", "W", "ops", "seed",
					    "dirty" };

	for (unsigned i = 0; i < 6; i++)
		snprintf(word[i], sizeof(word[i]), "%s=%llu", key[i],
			 (unsigned long long)value[i]);
	if (spawn("wl", argv, &options, &children[id]) < 0)
		die(spawn_error());
}

static void os_start(unsigned id, int procs, void (*fn)(unsigned))
{
	void *arg = (void *)(uintptr_t)id;

	worker_fn = fn;
	if (procs) {
		start_task(id);
		threads[id] = uthread_start(watch_task, arg, -1);
	} else {
		threads[id] = uthread_start(thread_main, arg, id % sys.cpus);
	}
	if (!threads[id])
		die("cannot start a thread");
}

static void os_join_all(unsigned n, int procs)
{
	(void)procs;
	for (unsigned i = 0; i < n; i++)
		uthread_join(threads[i]);
}

/* ---- output ------------------------------------------------------------ */
/* The peer's counters in its order; -1: there is no such count here. */
static const struct {
	const char *key;
	int counter;
} fields[] = {
	{ "pswpin", WEIR_C_pswpin },
	{ "pswpout", WEIR_C_pswpout },
	{ "pgsteal", WEIR_C_pgsteal },
	{ "pgscan", WEIR_C_pgscan },
	{ "pgsteal_kswapd", WEIR_C_pgsteal_kswapd },
	{ "pgsteal_direct", WEIR_C_pgsteal_direct },
	{ "pgscan_kswapd", -1 },
	{ "pgscan_direct", -1 },
	{ "allocstall", WEIR_C_allocstall },
	{ "pgfault", WEIR_C_pgfault },
	{ "pgmajfault", WEIR_C_pgmajfault },
	{ "swap_ra", WEIR_C_swap_ra },
	{ "swap_ra_hit", -1 },
	{ "pgactivate", WEIR_C_pgactivate },
	{ "nr_tlb_remote_flush", WEIR_C_nr_tlb_remote_flush },
	{ "nr_tlb_remote_flush_received",
	  WEIR_C_nr_tlb_remote_flush_received },
	{ "nr_tlb_local_flush_all", WEIR_C_nr_tlb_local_flush_all },
	{ "nr_tlb_local_flush_one", WEIR_C_nr_tlb_local_flush_one },
	{ "irq_tlb", -1 },
	{ "irq_cal", -1 },
	{ "irq_res", WEIR_C_irq_resched },
	{ "irq_loc", -1 },
	{ "ctxt", WEIR_C_ctxt },
	{ "pgrefill", -1 },
	/* Ours on top. */
	{ "pgdeactivate", WEIR_C_pgdeactivate },
	{ "tlb_flush_before_io", WEIR_C_tlb_flush_before_io },
	{ "tlb_flush_before_free", WEIR_C_tlb_flush_before_free },
	{ "tlb_flush_avoided", WEIR_C_tlb_flush_avoided },
	{ "tlb_batch_pages", WEIR_C_tlb_batch_pages },
	{ "ipi_sent", WEIR_C_ipi_sent },
	{ "refault_laundry", WEIR_C_refault_laundry },
};

static void print_json(const char *phase, const struct params *p,
		       const struct outcome *o, const struct counters *c)
{
	printf("{\"rep\":0,");
	print_outcome(phase, p, sys.cpus, o);
	for (unsigned i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (fields[i].counter < 0)
			printf(",\"%s\":null", fields[i].key);
		else
			printf(",\"%s\":%llu", fields[i].key,
			       (unsigned long long)c->v[fields[i].counter]);
	printf(",\"policy\":\"%s\"}\n", policy_names[sys.policy]);
}

static void print_row(const char *phase, const struct bench_phase *f)
{
	const uint64_t *c = f->count.v;
	uint64_t rounds = c[WEIR_C_nr_tlb_remote_flush];

	printf("%-10s %7llu %7llu %8llu %8llu %8llu %8llu %8llu %6llu %4llu"
	       " %4lld\n", phase, (unsigned long long)f->ops,
	       (unsigned long long)f->ns / 1000000,
	       (unsigned long long)c[WEIR_C_pgfault],
	       (unsigned long long)c[WEIR_C_pswpin],
	       (unsigned long long)c[WEIR_C_pswpout],
	       (unsigned long long)rounds,
	       (unsigned long long)c[WEIR_C_ipi_sent],
	       (unsigned long long)per_1000(rounds, c[WEIR_C_pswpout]),
	       (unsigned long long)f->bad, (long long)f->lost);
}

static void print_head(const struct params *p)
{
	printf("wl: %u %s on %u CPUs, %llu MiB (RAM %llu MiB, swap %llu MiB),"
	       " policy %s\n", p->T, p->procs ? "tasks" : "threads", sys.cpus,
	       (unsigned long long)p->W,
	       (unsigned long long)sys.frames_total >> 8,
	       (unsigned long long)sys.swap_total >> 8,
	       policy_names[sys.policy]);
	printf("%-10s %7s %7s %8s %8s %8s %8s %8s %6s %4s %4s\n", "phase",
	       "ops", "ms", "faults", "pages in", "out", "rounds", "IPIs",
	       "r/1000", "bad", "lost");
}

static void os_emit(const char *phase, const struct params *p,
		    const struct outcome *o, const struct stats *a,
		    const struct stats *b)
{
	struct bench_phase f = { .ops = o->ops, .ns = o->ns, .bad = o->bad,
				 .lost = o->lost };
	struct counters before, after;

	memcpy(before.v, a->v, sizeof(before.v));
	memcpy(after.v, b->v, sizeof(after.v));
	counters_diff(&f.count, &after, &before);
	failed |= o->bad || o->lost;
	if (clean_ops && result && !strcmp(phase, "write-rand"))
		sys_sys_ctl(WEIR_CTL_POLICY, WEIR_TLB_TWO_PASS, 0);
	if (result)
		result->phase[result->phases++] = f;
	else if (json)
		print_json(phase, p, o, &f.count);
	else
		print_row(phase, &f);
}

/* ---- read-clean: pages that reclaim need not write ---------------------- */

static void clean_worker(void *arg)
{
	unsigned id = (uintptr_t)arg;
	uint64_t s = mix(P.seed * 1000003 + PH_N * 101 + id) | 1;
	uint64_t bad = 0, done = 0, t0 = os_ns();

	for (; done < clean_ops / P.T; done++)
		bad += check((rnd(&s) >> 16) % NP, P.seed);
	S->r[BENCH_CLEAN][id].bad = bad;
	S->r[BENCH_CLEAN][id].done = done;
	S->r[BENCH_CLEAN][id].t0 = t0;
	S->r[BENCH_CLEAN][id].t1 = os_ns();
}

/* Has every page written, and then fills RAM with clean copies. How that is
 * done is not measured, so it is done the fast way. */
static void clean_all(void)
{
	struct weir_system now;
	uint64_t sum = 0;

	system_read(&now);
	sys_sys_ctl(WEIR_CTL_POLICY, WEIR_TLB_TWO_PASS, 0);
	sys_sys_ctl(WEIR_CTL_RECLAIM, now.frames_anon, 0);
	for (uint64_t p = 0; p < NP; p++)
		sum += R[p * WORDS];
	sys_sys_ctl(WEIR_CTL_POLICY, sys.policy, 0);
	(void)sum;
}

static void clean_run(void)
{
	static struct stats a, b;
	struct outcome o;

	clean_all();
	os_stats(&a);
	for (unsigned i = 0; i < P.T; i++) {
		threads[i] = uthread_start(clean_worker, (void *)(uintptr_t)i,
					   i % sys.cpus);
		if (!threads[i])
			die("cannot start a thread");
	}
	os_join_all(P.T, 0);
	os_stats(&b);
	o = gather(BENCH_CLEAN);
	os_emit("read-clean", &P, &o, &a, &b);
}

/* ---- start ------------------------------------------------------------- */
static void usage(const char *arg)
{
	printf("wl: bad argument '%s'\n"
	       "usage: wl [--json] [T=1..64] [W=MiB] [variant=threads|procs]"
	       " [ops=N] [seed=N]\n          [dirty=PERCENT] [policy=NAME]"
	       " [clean=N]\n          [trace=loop:PAGES|turns:PAGES|"
	       "random:PAGES|zipf:PAGES:7|8]\n", arg);
	exit(STATUS_USAGE);
}

/* A worker task: the runner waits for it at the barrier. */
static int worker_main(const struct params *p, unsigned id)
{
	P = *p;
	P.procs = 1;
	NP = (P.W << 20) / PAGE / P.T;
	shm = bench_map_extra(EXTRA_SHARED, SHM_PAGES);
	if (!shm)
		return 1;
	S = &shm->s;
	barrier.state = &shm->barrier;
	barrier.ntfn[0] = startup->extra[EXTRA_NTFN0];
	barrier.ntfn[1] = startup->extra[EXTRA_NTFN1];
	uthread_pin(id % sys.cpus);
	worker(id);
	return 0;
}

static void set_policy(const char *name)
{
	int policy = policy_by_name(name);
	long status;

	if (policy < 0)
		usage(name);
	status = sys_sys_ctl(WEIR_CTL_POLICY, policy, 0);
	if (status < 0) {
		printf("wl: cannot set the policy: %s\n",
		       weir_strerror(status));
		exit(1);
	}
}

/* Reads the arguments; returns the number of a worker task, or -1. */
static int parse(int argc, char **argv, struct params *p)
{
	uint64_t T = sys.cpus, id = 0;
	bool is_worker = false;
	const char *s;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json"))
			json = true;
		else if (!strcmp(argv[i], "--worker"))
			is_worker = true;
		else if (arg_str(argv[i], "policy", &s))
			set_policy(s);
		else if (arg_str(argv[i], "variant", &s) &&
			 (!strcmp(s, "threads") || !strcmp(s, "procs")))
			p->procs = *s == 'p';
		else if (arg_str(argv[i], "trace", &s) &&
			 trace_parse(s, &p->trace))
			T = 1;
		else if (!arg_u64(argv[i], "T", &T) &&
			 !arg_u64(argv[i], "W", &p->W) &&
			 !arg_u64(argv[i], "ops", &p->ops) &&
			 !arg_u64(argv[i], "seed", &p->seed) &&
			 !arg_u64(argv[i], "dirty", &p->dirty) &&
			 !arg_u64(argv[i], "id", &id) &&
			 !arg_u64(argv[i], "clean", &clean_ops))
			usage(argv[i]);
	}
	if (T < 1 || T > MAXT)
		usage("T");
	if (p->W < 1 || p->W > 1 << 19 || (p->W << 8) / T < 1)
		usage("W");
	if (p->dirty > 100)
		usage("dirty");
	p->T = T;
	return is_worker ? (int)id : -1;
}

int main(int argc, char **argv)
{
	struct params p = { .ops = ~0ull, .dirty = 100 };
	int id;

	system_read(&sys);
	p.seed = sys.seed;
	p.W = bench_default_pages(&sys) >> 8;
	id = parse(argc, argv, &p);
	if (p.ops == ~0ull)
		p.ops = 2 * (p.W << 20) / PAGE;
	if (id >= 0)
		return worker_main(&p, id);
	system_read(&sys);
	shm = pages_map(SHM_PAGES, &shm_handle);
	if (!shm)
		die("no memory");
	result = bench_map_extra(EXTRA_RESULT, BENCH_RESULT_PAGES);
	if (!result && !json)
		print_head(&p);
	if (p.trace.kind) {
		core_trace(&p);
		return failed;
	}
	core_run(&p);
	if (clean_ops && !p.procs)
		clean_run();
	return failed;
}
