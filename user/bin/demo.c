/*
 * demo.c - the same reclaim workload under each TLB policy, in one table.
 *
 *   demo [--json] [T=N] [W=MiB] [ops=N] [seconds=N]
 *
 * For each policy it starts `wl`, with a last phase in which all pages are
 * clean, and `lostwrite`, both over memory twice the size of RAM. Exit
 * status 0 only if not one store was lost and the numbers of flush rounds
 * are as the policies promise (see verdict()).
 */
#include <stdio.h>
#include <string.h>

#include "user/bench/bench.h"

static const char *const rules[WEIR_NPOLICIES] = {
	"each page is flushed from all TLBs as soon as it is unmapped",
	"clean pages wait and share a flush; a dirty page is flushed at once",
	"all wait, but each dirty page's IO forces a flush: what Linux does",
	"unmap a batch, flush once, write the batch: dirty pages share, too",
	"the same, and clean pages wait until their frames are needed",
};

/* What came out for one policy. */
struct row {
	uint64_t out, in, rounds, ipis, before_io, before_free;
	uint64_t clean_freed, clean_rounds;
	uint64_t ns, increments, lost;
};

static struct weir_system sys;
static struct bench_result *result;
static handle_t result_handle;
static uint64_t T, W, ops, seconds = 2;
static bool json;

/* Runs a program that leaves its figures in *result; false: it failed. */
static bool run(char *const argv[])
{
	struct spawn_options options = {
		.privileged = true,
		.extra = { [EXTRA_RESULT] = result_handle },
	};
	struct child child;
	int status = 1;
	long error = spawn(argv[0], argv, &options, &child);

	if (error < 0) {
		printf("demo: cannot start %s\n", spawn_error());
		return false;
	}
	error = child_wait(&child, &status);
	if (error < 0 || status > 1)
		printf("demo: %s ended with status %d\n", argv[0], status);
	return error == 0 && status <= 1; /* 1: it counted losses */
}

/* Adds what one phase counted to the row. */
static void add_phase(struct row *r, const struct bench_phase *f)
{
	const uint64_t *c = f->count.v;

	r->out += c[WEIR_C_pswpout];
	r->in += c[WEIR_C_pswpin];
	r->rounds += c[WEIR_C_nr_tlb_remote_flush];
	r->ipis += c[WEIR_C_ipi_sent];
	r->before_io += c[WEIR_C_tlb_flush_before_io];
	r->before_free += c[WEIR_C_tlb_flush_before_free];
}

static bool run_wl(struct row *r)
{
	char word[4][40];
	char *argv[] = { "wl", word[0], word[1], word[2], word[3], NULL };
	const struct bench_phase *f = result->phase;

	snprintf(word[0], sizeof(word[0]), "T=%llu", (unsigned long long)T);
	snprintf(word[1], sizeof(word[1]), "W=%llu", (unsigned long long)W);
	snprintf(word[2], sizeof(word[2]), "ops=%llu",
		 (unsigned long long)ops);
	snprintf(word[3], sizeof(word[3]), "clean=%llu",
		 (unsigned long long)ops);
	if (!run(argv) || result->phases != BENCH_PHASES)
		return false;
	add_phase(r, &f[BENCH_POPULATE]);
	add_phase(r, &f[BENCH_WRITE]);
	r->clean_freed = f[BENCH_CLEAN].count.v[WEIR_C_pgsteal];
	r->clean_rounds =
		f[BENCH_CLEAN].count.v[WEIR_C_nr_tlb_remote_flush];
	for (unsigned i = 0; i < BENCH_PHASES; i++) {
		if (i != BENCH_SWEEP)
			r->ns += f[i].ns;
		r->lost += f[i].bad;
		r->lost += f[i].lost < 0 ? -f[i].lost : f[i].lost;
	}
	return true;
}

static bool run_lostwrite(struct row *r)
{
	char word[3][40];
	char *argv[] = { "lostwrite", word[0], word[1], word[2], NULL };

	snprintf(word[0], sizeof(word[0]), "threads=%llu",
		 (unsigned long long)T);
	snprintf(word[1], sizeof(word[1]), "W=%llu", (unsigned long long)W);
	snprintf(word[2], sizeof(word[2]), "seconds=%llu",
		 (unsigned long long)seconds);
	if (!run(argv))
		return false;
	r->increments = result->increments;
	r->lost += result->lost;
	return r->increments != 0;
}

/* ---- output ------------------------------------------------------------ */

static void print_head(void)
{
	printf("demo: %llu threads on %u CPUs write and read %llu MiB of "
	       "memory; RAM has room for %llu MiB,\n"
	       "the rest is on the swap device. When a page is taken from a "
	       "program, no CPU's TLB may keep it:\n"
	       "a flush round interrupts the others and waits for all of "
	       "them. The policy says when.\n\n",
	       (unsigned long long)T, sys.cpus, (unsigned long long)W,
	       (unsigned long long)sys.frames_total >> 8);
	printf("%-11s %7s %7s %7s %7s %9s %11s %10s %10s %8s %6s\n"
	       "%-11s %7s %7s %7s %7s %9s %11s %10s %10s %8s %6s\n",
	       "", "pages", "pages", "flush", "", "flushes", "flushes",
	       "rounds per", "same, all", "elapsed", "lost",
	       "policy", "out", "in", "rounds", "IPIs", "before IO",
	       "before free", "1,000 out", "clean", "seconds", "writes");
}

static void print_row(const char *policy, const struct row *r)
{
	printf("%-11s %7llu %7llu %7llu %7llu %9llu %11llu %10llu %10llu "
	       "%5llu.%02llu %6llu\n", policy, (unsigned long long)r->out,
	       (unsigned long long)r->in, (unsigned long long)r->rounds,
	       (unsigned long long)r->ipis, (unsigned long long)r->before_io,
	       (unsigned long long)r->before_free,
	       (unsigned long long)per_1000(r->rounds, r->out),
	       (unsigned long long)per_1000(r->clean_rounds, r->clean_freed),
	       (unsigned long long)r->ns / 1000000000,
	       (unsigned long long)r->ns / 10000000 % 100,
	       (unsigned long long)r->lost);
}

static void print_json(const char *policy, const struct row *r)
{
	printf("{\"policy\":\"%s\",\"ncpu\":%u,\"T\":%llu,\"W_mib\":%llu,"
	       "\"pswpout\":%llu,\"pswpin\":%llu,"
	       "\"nr_tlb_remote_flush\":%llu,\"ipi_sent\":%llu,"
	       "\"tlb_flush_before_io\":%llu,"
	       "\"tlb_flush_before_free\":%llu,"
	       "\"rounds_per_1000_out\":%llu,"
	       "\"clean_pgsteal\":%llu,\"clean_nr_tlb_remote_flush\":%llu,"
	       "\"elapsed_ns\":%llu,\"increments\":%llu,\"lost\":%llu}\n",
	       policy, sys.cpus, (unsigned long long)T,
	       (unsigned long long)W, (unsigned long long)r->out,
	       (unsigned long long)r->in, (unsigned long long)r->rounds,
	       (unsigned long long)r->ipis, (unsigned long long)r->before_io,
	       (unsigned long long)r->before_free,
	       (unsigned long long)per_1000(r->rounds, r->out),
	       (unsigned long long)r->clean_freed,
	       (unsigned long long)r->clean_rounds,
	       (unsigned long long)r->ns,
	       (unsigned long long)r->increments,
	       (unsigned long long)r->lost);
}

static void print_legend(void)
{
	printf("\n");
	for (unsigned i = 0; i < WEIR_NPOLICIES; i++)
		printf("  %-11s %s\n", policy_names[i], rules[i]);
	printf("\npages out to rounds per 1,000 out: while every page is "
	       "written to. same, all clean: rounds per\n1,000 frames freed "
	       "while pages are only read. lost writes: wrong pages of wl, "
	       "and stores that\n%llu s of lostwrite missed.\n",
	       (unsigned long long)seconds);
}

/* ---- the verdict ------------------------------------------------------- */

/* Prints what does not hold. */
static bool hold(bool condition, const char *policy, const char *promise)
{
	if (!condition)
		printf("demo: %s: %s: not so\n", policy, promise);
	return condition;
}

/* A round is not sent to CPUs that are idle or in the kernel's own threads,
 * and with two or three CPUs the others are that for most of the time: only
 * from four on does each dirty page cost about a round. */
#define BUSY_CPUS 4

/* Nothing lost; and, where there are CPUs to flush, the counts. */
static bool verdict(const struct row rows[WEIR_NPOLICIES])
{
	const struct row *two_pass = &rows[WEIR_TLB_TWO_PASS];
	uint64_t least = per_1000(two_pass->rounds, two_pass->out);
	bool ok = true;

	for (unsigned i = 0; i < WEIR_NPOLICIES; i++) {
		const struct row *r = &rows[i];

		ok &= hold(r->lost == 0, policy_names[i], "no lost write");
		ok &= hold(r->out > 0, policy_names[i], "pages went out");
		if (i < WEIR_TLB_TWO_PASS && sys.cpus >= BUSY_CPUS &&
		    T >= BUSY_CPUS)
			ok &= hold(per_1000(r->rounds, r->out) > 4 * least,
				   policy_names[i], "dirty pages cost more "
				   "than four times the rounds of two-pass");
		if (i != WEIR_TLB_IMMEDIATE)
			ok &= hold(24 * r->clean_rounds <=
				   r->clean_freed + 240, policy_names[i],
				   "at most a round for 24 clean pages");
	}
	ok &= hold(least <= 45, "two-pass",
		   "at most 45 rounds per 1,000 pages out");
	return ok;
}

/* ---- start ------------------------------------------------------------- */

static bool parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--json")) {
			json = true;
		} else if (!arg_u64(argv[i], "T", &T) &&
			   !arg_u64(argv[i], "W", &W) &&
			   !arg_u64(argv[i], "ops", &ops) &&
			   !arg_u64(argv[i], "seconds", &seconds)) {
			printf("demo: bad argument '%s'\nusage: demo [--json]"
			       " [T=N] [W=MiB] [ops=N] [seconds=N]\n",
			       argv[i]);
			return false;
		}
	return true;
}

static bool run_policy(unsigned policy, struct row *r)
{
	long status = sys_sys_ctl(WEIR_CTL_POLICY, policy, 0);

	if (status < 0) {
		printf("demo: cannot set the policy: %s\n",
		       weir_strerror(status));
		return false;
	}
	memset(result, 0, sizeof(*result));
	if (!run_wl(r) || !run_lostwrite(r))
		return false;
	if (json)
		print_json(policy_names[policy], r);
	else
		print_row(policy_names[policy], r);
	return true;
}

int main(int argc, char **argv)
{
	static struct row rows[WEIR_NPOLICIES];
	bool ok = true;

	system_read(&sys);
	T = sys.cpus;
	W = bench_default_pages(&sys) >> 8;
	ops = bench_default_pages(&sys);
	if (!parse(argc, argv))
		return STATUS_USAGE;
	result = pages_map(BENCH_RESULT_PAGES, &result_handle);
	if (!result) {
		printf("demo: no memory\n");
		return 1;
	}
	if (!json)
		print_head();
	for (unsigned i = 0; i < WEIR_NPOLICIES && ok; i++)
		ok = run_policy(i, &rows[i]);
	sys_sys_ctl(WEIR_CTL_POLICY, sys.policy, 0);
	if (ok && !json)
		print_legend();
	ok = ok && verdict(rows);
	if (!json)
		printf("\n%s\n", ok ? "Nothing was lost, and the counts are "
		       "what the policies promise." : "demo: FAILED");
	return !ok;
}
