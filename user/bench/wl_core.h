/*
 * wl_core.h - the portable core of the reclaim workload.
 *
 * It is that of the Linux program which Weir is compared with, cut into
 * shorter functions; only os_barrier has got the caller's number, and there
 * is room for results of a fifth phase. Phases, each between two barriers:
 *   populate    every page gets a pattern (8 words spread over the page)
 *   read-rand   ops random reads in total, the whole pattern is verified
 *   write-rand  ops random accesses in total: `dirty` per cent of them are
 *               atomic increments, the others reads (verified too)
 *   sweep       sequential sum of all counters; must equal the increments
 * Or one thread touches pages in the order of a trace (trace.h), after all
 * have got their pattern; of `random` each touch is timed, and those that
 * were major faults are sorted.
 * The file that includes it supplies the os_ functions.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "user/bench/trace.h"

#define WL_PHASES 5
#define PAGE 4096u
#define WORDS (PAGE / 8)
#define NPAT 8 /* pattern words per page */
#define CTR 1  /* index of the counter word */
#define MAXT 64
#define NSTAT 40
#define SAMPLES 16384

struct params {
	unsigned T;   /* threads or processes */
	int procs;    /* 0 = one address space, 1 = one each */
	uint64_t W;   /* region, MiB in total */
	uint64_t ops; /* random operations per phase, in total */
	uint64_t seed;
	uint64_t dirty; /* per cent of write-rand's accesses that write */
	struct trace trace; /* instead of the phases, unless TRACE_NONE */
};
struct stats {
	uint64_t v[NSTAT];
};
struct outcome { /* of a phase, all workers together */
	uint64_t ops, ns, bad;
	uint64_t sum; /* increments that were made, or found */
	int64_t lost;
	uint64_t fastest, slowest; /* workers, ns: each does as much */
	uint64_t samples, p50, p99; /* of accesses that were major faults, ns */
};
struct shared { /* results the workers leave for the runner */
	struct {
		uint64_t bad, sum, done, t0, t1;
		char pad[24];
	} r[WL_PHASES][MAXT];
};

/* ---- what the operating system has to provide ------------------------- */
static void *os_map(uint64_t bytes); /* private anonymous memory */
static uint64_t os_ns(void);         /* monotonic */
static uint64_t os_majors(void);     /* major faults so far, of this thread */
static void os_start(unsigned id, int procs, void (*fn)(unsigned));
static void os_join_all(unsigned n, int procs);
static void os_barrier_init(unsigned n);
static void os_barrier(unsigned id);
static void os_stats(struct stats *s);
static void os_emit(const char *phase, const struct params *p,
		    const struct outcome *o, const struct stats *a,
		    const struct stats *b);
static struct shared *os_shared(void); /* shared by all workers */

/* ---- portable core ---------------------------------------------------- */
enum { PH_POP, PH_READ, PH_WRITE, PH_SWEEP, PH_N };
static const char *const ph_name[PH_N] = { "populate", "read-rand",
					   "write-rand", "sweep" };

static struct params P;
static struct shared *S;
static volatile uint64_t *R; /* region (per process with procs) */
static uint64_t NP;          /* pages in R */

/* Whether the access that drew `x` writes. The page comes of other bits. */
static inline int writes(uint64_t x)
{
	return (x & 0xffff) * 100 >> 16 < P.dirty;
}

/* word index of the k-th pattern word: 0, 73, 146, ... 511 (never CTR) */
static inline unsigned pw(unsigned k)
{
	return k * 73u;
}

static uint64_t check(uint64_t pg, uint64_t salt)
{
	volatile uint64_t *q = R + pg * WORDS;
	uint64_t bad = 0, h = mix(pg ^ salt);

	for (unsigned k = 0; k < NPAT; k++)
		bad |= q[pw(k)] ^ (h + k);
	return bad != 0;
}

static void fill(uint64_t pg, uint64_t salt)
{
	volatile uint64_t *q = R + pg * WORDS;
	uint64_t h = mix(pg ^ salt);

	for (unsigned k = 0; k < NPAT; k++)
		q[pw(k)] = h + k;
	q[CTR] = 0;
}

static void increment(uint64_t pg)
{
	__atomic_fetch_add((uint64_t *)(R + pg * WORDS + CTR), 1,
			   __ATOMIC_RELAXED);
}

static void worker(unsigned id)
{
	uint64_t n = P.procs ? 1 : P.T, me = P.procs ? 0 : id, salt = P.seed;

	if (P.procs) {
		R = os_map(NP * PAGE);
		salt ^= (uint64_t)(id + 1) << 48;
	}
	uint64_t lo = NP * me / n, hi = NP * (me + 1) / n, per = P.ops / P.T;

	os_barrier(id); /* everybody exists */
	for (int ph = 0; ph < PH_N; ph++) {
		uint64_t bad = 0, sum = 0, done = 0, t0;
		uint64_t s = mix(P.seed * 1000003 + ph * 101 + id) | 1;

		os_barrier(id); /* start */
		t0 = os_ns();
		switch (ph) {
		case PH_POP:
			for (uint64_t p = lo; p < hi; p++, done++)
				fill(p, salt);
			break;
		case PH_READ:
			for (; done < per; done++)
				bad += check((rnd(&s) >> 16) % NP, salt);
			break;
		case PH_WRITE:
			for (; done < per; done++) {
				uint64_t x = rnd(&s), p = (x >> 16) % NP;

				if (writes(x)) {
					increment(p);
					sum++;
				}
				bad += check(p, salt);
			}
			break;
		case PH_SWEEP:
			for (uint64_t p = lo; p < hi; p++, done++) {
				sum += R[p * WORDS + CTR];
				bad += check(p, salt);
			}
			break;
		}
		S->r[ph][id].bad = bad;
		S->r[ph][id].sum = sum;
		S->r[ph][id].done = done;
		S->r[ph][id].t0 = t0;
		S->r[ph][id].t1 = os_ns();
		os_barrier(id); /* end */
	}
}

/* What all workers left of phase `ph`. */
static struct outcome gather(int ph)
{
	struct outcome o = { .fastest = ~0ull };
	uint64_t t0 = ~0ull, t1 = 0;

	for (unsigned i = 0; i < P.T; i++) {
		uint64_t from = S->r[ph][i].t0, to = S->r[ph][i].t1;

		o.bad += S->r[ph][i].bad;
		o.sum += S->r[ph][i].sum;
		o.ops += S->r[ph][i].done;
		if (from < t0)
			t0 = from;
		if (to > t1)
			t1 = to;
		if (to - from < o.fastest)
			o.fastest = to - from;
		if (to - from > o.slowest)
			o.slowest = to - from;
	}
	o.ns = t1 - t0;
	return o;
}

static void core_run(const struct params *in)
{
	static struct stats a, b;
	uint64_t incr = 0;

	P = *in;
	S = os_shared();
	NP = (P.W << 20) / PAGE / (P.procs ? P.T : 1);
	if (!P.procs)
		R = os_map(NP * PAGE);
	os_barrier_init(P.T + 1);
	for (unsigned i = 0; i < P.T; i++)
		os_start(i, P.procs, worker);
	os_barrier(P.T);
	for (int ph = 0; ph < PH_N; ph++) {
		struct outcome o;

		os_stats(&a);
		os_barrier(P.T);
		os_barrier(P.T);
		os_stats(&b);
		o = gather(ph);
		if (ph == PH_WRITE)
			incr = o.sum;
		if (ph == PH_SWEEP)
			o.lost = (int64_t)(incr - o.sum);
		os_emit(ph_name[ph], &P, &o, &a, &b);
	}
	os_join_all(P.T, P.procs);
}

/* ---- a trace ---------------------------------------------------------- */
static struct trace trace;
static struct outcome traced;
static struct stats trace_before, trace_after;

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Touches page `pg`; ticks of the TSC that it took, in *took. Returns
 * whether it was a major fault. The reading of the clock is in it. */
static int timed_touch(uint64_t pg, uint32_t *took)
{
	uint64_t majors = os_majors(), start = __builtin_ia32_rdtsc();
	uint64_t word = R[pg * WORDS + pw(0)];

	*took = __builtin_ia32_rdtsc() - start;
	traced.bad += word != mix(pg ^ P.seed);
	return os_majors() == majors + 1;
}

static void timed_trace(void)
{
	static uint32_t took[SAMPLES + 1];
	uint64_t start = __builtin_ia32_rdtsc(), t0 = os_ns(), n = 0;
	double ns;

	for (; traced.ops < P.ops && n < SAMPLES; traced.ops++)
		n += timed_touch(trace_next(&trace), &took[n]);
	ns = (double)(os_ns() - t0) / (double)(__builtin_ia32_rdtsc() - start);
	qsort(took, n, sizeof(*took), by_value);
	traced.samples = n;
	traced.p50 = took[n / 2] * ns;
	traced.p99 = took[n * 99 / 100] * ns;
}

static void trace_worker(unsigned id)
{
	uint64_t t0;

	(void)id;
	for (uint64_t p = 0; p < NP; p++)
		fill(p, P.seed);
	os_stats(&trace_before);
	t0 = os_ns();
	if (trace.kind == TRACE_RANDOM)
		timed_trace();
	else
		for (; traced.ops < P.ops; traced.ops++)
			traced.bad += check(trace_next(&trace), P.seed);
	traced.ns = os_ns() - t0;
	traced.fastest = traced.slowest = traced.ns;
	os_stats(&trace_after);
}

static void core_trace(const struct params *in)
{
	static const char *const name[] = { [TRACE_LOOP] = "loop",
					    [TRACE_RANDOM] = "random",
					    [TRACE_ZIPF] = "zipf" };
	P = *in;
	trace = P.trace;
	NP = trace.pages;
	R = os_map(NP * PAGE);
	trace_start(&trace, P.seed, os_map((NP / WORDS + 1) * PAGE));
	os_start(0, 0, trace_worker);
	os_join_all(1, 0);
	os_emit(name[trace.kind], &P, &traced, &trace_before, &trace_after);
}

/* ---- output ------------------------------------------------------------- */

/* The fields of one phase's JSON object that both systems have. */
static void print_outcome(const char *phase, const struct params *p,
			  unsigned cpus, const struct outcome *o)
{
	printf("\"phase\":\"%s\",\"variant\":\"%s\",\"ncpu\":%u,\"T\":%u,"
	       "\"W_mib\":%llu,\"dirty\":%llu,\"ops\":%llu,"
	       "\"elapsed_ns\":%llu,\"fastest_ns\":%llu,\"slowest_ns\":%llu,"
	       "\"bad\":%llu,\"lost\":%lld,\"samples\":%llu,"
	       "\"p50_ns\":%llu,\"p99_ns\":%llu",
	       phase, p->procs ? "procs" : "threads", cpus, p->T,
	       (unsigned long long)p->W, (unsigned long long)p->dirty,
	       (unsigned long long)o->ops, (unsigned long long)o->ns,
	       (unsigned long long)o->fastest,
	       (unsigned long long)o->slowest,
	       (unsigned long long)o->bad, (long long)o->lost,
	       (unsigned long long)o->samples, (unsigned long long)o->p50,
	       (unsigned long long)o->p99);
}
