/*
 * storm.c - everything that pages, at once, on every CPU, for a while.
 *
 *   storm [minutes=N] [seconds=N] [seed=N] [switch=1] [json] [row]
 *
 * Tasks of four kinds (storm/: anonymous memory, a paged object and its
 * pager, files, mappings) use more memory than there is, each with two
 * threads that know what every byte must be: they check now and then, and
 * all of it at the end. `switch=1` changes the TLB policy all the time. One
 * line of figures, or an object of JSON; `row`: only the line. Exit status
 * 1: something was wrong; the log has what.
 */
#include <stdio.h>
#include <string.h>

#include "user/lib/fs.h"
#include "user/lib/pager.h"
#include "user/tests/storm/storm.h"

#define THREADS 2u    /* of a task */
#define MAX_TASKS 4u  /* of a role */
#define SWITCH_NS 70000000ull

_Static_assert(MAX_TASKS * THREADS <= STORM_CELLS, "a cell each");

static void (*const role_main[ROLES])(struct worker *w) = {
	[ROLE_ANON] = storm_anon,
	[ROLE_PAGED] = storm_paged,
	[ROLE_FILES] = storm_files,
	[ROLE_MAPS] = storm_maps,
};

static struct storm *storm;
static handle_t storm_handle;
static struct weir_system sys;
static struct upager paged; /* made here, run by another task */
static struct child pager_child, children[ROLES * MAX_TASKS];
static uint64_t minutes, seconds, seed, switching;
static bool json, row;

/* ---- what the roles use -------------------------------------------------- */

bool storm_check(struct worker *w, bool good, const char *what, uint64_t where)
{
	w->checks++;
	if (good)
		return true;
	if (__atomic_fetch_add(&w->storm->wrong, 1, __ATOMIC_RELAXED) < 20)
		klogf("wrong: role %u, thread %u: %s (%llu)", w->role, w->id,
		      what, (unsigned long long)where);
	return false;
}

uint64_t storm_random(struct worker *w, uint64_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (w->random >> 11) % below;
}

bool storm_stopped(struct worker *w)
{
	return __atomic_load_n(&w->storm->stop, __ATOMIC_RELAXED);
}

/* ---- a task -------------------------------------------------------------- */

static void work(void *arg)
{
	struct worker *w = arg;

	role_main[w->role](w);
	__atomic_add_fetch(&w->storm->ops, w->ops, __ATOMIC_RELAXED);
	__atomic_add_fetch(&w->storm->checks, w->checks, __ATOMIC_RELAXED);
}

/* Every other thread stays on a CPU, the rest go where there is room. */
static int run_role(enum role role, unsigned task)
{
	struct worker w[THREADS];
	struct uthread *t[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		unsigned id = task * THREADS + i;

		w[i] = (struct worker){ storm, role, id, 0, 0, 0 };
		w[i].random = (storm->seed * ROLES + role) * 1000003 + id + 1;
		w[i].random *= 0x9e3779b97f4a7c15ull;
		t[i] = uthread_start(work, &w[i], i ? -1 :
				     (int)((role + task * ROLES) % sys.cpus));
		if (!t[i])
			return 1;
	}
	for (unsigned i = 0; i < THREADS; i++)
		uthread_join(t[i]);
	return 0;
}

static int be_child(unsigned role, unsigned task)
{
	long va = sys_mem_map(startup->self, startup->extra[EXTRA_STORM], 0, 0,
			      1, WEIR_P_READ | WEIR_P_WRITE);

	storm = (struct storm *)va;
	if (va < 0)
		return 1;
	if (role == ROLES)
		return storm_pager(storm);
	return role < ROLES ? run_role(role, task) : 1;
}

static bool start(unsigned role, unsigned task, struct child *child)
{
	char word[2][24];
	char *argv[] = { "storm", "--child", word[0], word[1], NULL };
	bool pager = role == ROLES;
	struct spawn_options options = {
		.no_console = true,
		.extra = { [EXTRA_STORM] = storm_handle,
			   [EXTRA_PAGED] = paged.mem,
			   [EXTRA_PAGER] = pager ? paged.pager : 0,
			   [EXTRA_NTFN] = pager ? paged.ntfn : 0 },
	};

	snprintf(word[0], sizeof(word[0]), "role=%u", role);
	snprintf(word[1], sizeof(word[1]), "task=%u", task);
	if (spawn("storm", argv, &options, child) == 0)
		return true;
	printf("storm: %s\n", spawn_error());
	return false;
}

/* ---- the run ------------------------------------------------------------- */

/* How much each uses: anonymous memory and the paged object are both larger
 * than RAM, and together find room in RAM and swap even if every page of the
 * object becomes dirty and its pager is too slow. */
static bool prepare(void)
{
	uint64_t room = sys.frames_total + sys.swap_total;

	storm = pages_map(1, &storm_handle);
	if (!storm)
		return false;
	storm->seed = seed;
	storm->cpus = sys.cpus;
	storm->tasks = sys.cpus < 2 * MAX_TASKS ? (sys.cpus + 1) / 2
						: MAX_TASKS;
	storm->anon_pages = sys.frames_total * 9 / 8;
	if (storm->anon_pages > room / 3)
		storm->anon_pages = room / 3;
	storm->anon_pages /= storm->tasks * THREADS;
	storm->paged_pages = sys.frames_total * 3 / 2;
	if (storm->paged_pages > room / 3)
		storm->paged_pages = room / 3;
	paged.npages = storm->paged_pages;
	return upager_make(&paged) == 0 && fs_mkdir(STORM_FOLDER) == 0;
}

static void wait_until(uint64_t end)
{
	unsigned policy = sys.policy;

	while (switching && now_ns() + SWITCH_NS < end) {
		sleep_ns(SWITCH_NS);
		policy = (policy + 1) % WEIR_NPOLICIES;
		if (sys_sys_ctl(WEIR_CTL_POLICY, policy, 0) < 0)
			switching = 0;
	}
	if (now_ns() < end)
		sleep_ns(end - now_ns());
	if (switching)
		sys_sys_ctl(WEIR_CTL_POLICY, sys.policy, 0);
}

static bool end_child(struct child *child, bool kill)
{
	int status = 1;

	if (kill)
		sys_task_kill(child->task, 0);
	return child_wait(child, &status) == 0 && status == 0;
}

/* False: a task could not be started, or did not end as it must. */
static bool run(uint64_t ns)
{
	unsigned n = 0;
	bool good = start(ROLES, 0, &pager_child);

	/* Only the pager itself has its handles now. */
	sys_handle_close(paged.pager);
	sys_handle_close(paged.ntfn);
	for (unsigned task = 0; good && task < storm->tasks; task++)
		for (unsigned role = 0; good && role < ROLES; role++)
			good = start(role, task, &children[n++]);
	wait_until(now_ns() + ns);
	__atomic_store_n(&storm->stop, 1, __ATOMIC_RELAXED);
	while (n--)
		good &= end_child(&children[n], false);
	good &= end_child(&pager_child, true);
	return fs_remove(STORM_FOLDER) == 0 && good;
}

/* ---- output -------------------------------------------------------------- */

static void print(const struct counters *c, uint64_t ns)
{
	const uint64_t *v = c->v;
	const char *format = json ?
		"{\"policy\":\"%s\",\"ncpu\":%u,\"seed\":%llu,"
		"\"seconds\":%llu,\"pswpin\":%llu,\"pswpout\":%llu,"
		"\"pager_in\":%llu,\"pager_out\":%llu,\"rounds\":%llu,"
		"\"ipi_sent\":%llu,\"pgfault\":%llu,\"ops\":%llu,"
		"\"checks\":%llu,\"wrong\":%llu}\n" :
		"%-11s %4u %10llu %7llu %8llu %8llu %8llu %8llu %8llu %8llu "
		"%9llu %8llu %10llu %5llu\n";

	if (!json && !row)
		printf("%-11s %4s %10s %7s %8s %8s %8s %8s %8s %8s %9s %8s "
		       "%10s %5s\n", "policy", "CPUs", "seed", "seconds",
		       "swap in", "swap out", "pager in", "out", "rounds",
		       "IPIs", "faults", "ops", "checks", "wrong");
	printf(format, switching ? "switching" : policy_names[sys.policy],
	       sys.cpus, (unsigned long long)seed,
	       (unsigned long long)(ns / 1000000000),
	       (unsigned long long)v[WEIR_C_pswpin],
	       (unsigned long long)v[WEIR_C_pswpout],
	       (unsigned long long)v[WEIR_C_pager_in],
	       (unsigned long long)v[WEIR_C_pager_out],
	       (unsigned long long)v[WEIR_C_nr_tlb_remote_flush],
	       (unsigned long long)v[WEIR_C_ipi_sent],
	       (unsigned long long)v[WEIR_C_pgfault],
	       (unsigned long long)storm->ops,
	       (unsigned long long)storm->checks,
	       (unsigned long long)storm->wrong);
}

static void print_seed(void)
{
	if (json || row)
		return;
	printf("storm: seed %llu; the same again: storm seconds=%llu "
	       "seed=%llu%s\n", (unsigned long long)seed,
	       (unsigned long long)(60 * minutes + seconds),
	       (unsigned long long)seed, switching ? " switch=1" : "");
}

/* ---- start --------------------------------------------------------------- */

static int usage(void)
{
	printf("usage: storm [minutes=N] [seconds=N] [seed=N] [switch=1] "
	       "[json] [row]\n");
	return STATUS_USAGE;
}

int main(int argc, char **argv)
{
	struct counters before, after, count;
	uint64_t role = ROLES + 1, task = 0, from;
	bool good, child = false;

	system_read(&sys);
	seed = sys.seed;
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "json") == 0)
			json = true;
		else if (strcmp(argv[i], "row") == 0)
			row = true;
		else if (strcmp(argv[i], "--child") == 0)
			child = true;
		else if (!arg_u64(argv[i], "minutes", &minutes) &&
			 !arg_u64(argv[i], "seconds", &seconds) &&
			 !arg_u64(argv[i], "seed", &seed) &&
			 !arg_u64(argv[i], "switch", &switching) &&
			 !arg_u64(argv[i], "role", &role) &&
			 !arg_u64(argv[i], "task", &task))
			return usage();
	if (child)
		return be_child((unsigned)role, (unsigned)task);
	if (!minutes && !seconds)
		seconds = 10;
	print_seed();
	if (!prepare()) {
		printf("storm: no memory, or no file server\n");
		return 1;
	}
	counters_read(&before);
	from = now_ns();
	good = run((60 * minutes + seconds) * 1000000000);
	counters_read(&after);
	counters_diff(&count, &after, &before);
	print(&count, now_ns() - from);
	if (!good)
		printf("storm: a task did not end as it must\n");
	return good && !storm->wrong ? 0 : 1;
}
