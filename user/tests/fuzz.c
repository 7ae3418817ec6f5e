/*
 * fuzz.c - system calls of any kind, with arguments of any kind, from many
 * threads; nobody but who makes them may suffer (P4, P6).
 *
 *   fuzz [seed=N] [calls=N] [json]
 *
 * Workers (fuzz/worker.c) without privileges make the calls, of every number
 * in abi/syscalls.def. They die of some and stand still in others; then they
 * are killed, and others take their place. Meanwhile policy, batch, delay and
 * reclaim are changed from here, and a bystander's memory, partly on the swap
 * device, must stay what it is. After each round everything of it is killed,
 * and frames, slots, tasks and handles must be exactly what they were; the
 * first rounds are for what is kept on purpose. The seed repeats what each
 * thread draws, not how they meet. Exit status 1: something was not so.
 */
#include <stdio.h>
#include <string.h>

#include "user/tests/account.h"
#include "user/tests/fuzz/fuzz.h"

#define WARM_UP 3u
#define ROUNDS 7u
#define TICK_NS (10 * NS_PER_MS)
#define DISTURB_NS (30 * NS_PER_MS)
#define PRIMES 96u /* more threads, and more objects, than there will be */
#define STALL_TICKS 3u
#define PATIENCE_NS (60000 * NS_PER_MS) /* then it hangs */
#define SETTLED 4u /* equal counts in a row */
#define TRIES 1000u
#define TASKS 64u
#define STALLED 61 /* status of who stood still */
#define OVER 62    /* of who was still there at the end */

static uint64_t seed = 1, calls = 200000, born;
static unsigned failures, nworkers;
static bool json;
static struct weir_system system_before;

/* What became of the workers. */
static struct {
	uint64_t faults, stalls, kills, hungry, ends;
} fate;

static struct worker {
	struct child child; /* under `lock` */
	uint64_t seen;      /* its progress at the last tick */
	unsigned ticks;     /* that it stands still for */
	uint64_t killed_at; /* ns; 0: not */
	bool runs;
} workers[WORKERS_MAX];
/* A notification's bit: who has taken it has the workers. Not a struct ulock:
 * who spins at priority 31 keeps the only CPU from who does its holder's IO. */
static handle_t lock;

static handle_t extra[8], ends;
static bool watching;

static void complain(const char *what)
{
	printf("fuzz: %s\n", what);
	failures++;
}

/* --- starting ------------------------------------------------------------- */
static bool start(const char *role, unsigned id, handle_t fault_ep,
		  struct child *child)
{
	char number[32], who[16];
	char *argv[] = { "fuzz", (char *)role, number, who, NULL };
	struct spawn_options options = { .fault_ep = fault_ep,
					 .no_console = true,
					 .no_initrd = true };

	memcpy(options.extra, extra, sizeof(extra));
	if (strcmp(role, "--bystander"))
		options.extra[X_GO] = options.extra[X_TOLD] = 0;
	snprintf(number, sizeof(number), "seed=%llu", (unsigned long long)
		 (seed * 0x9e3779b97f4a7c15ull + born++));
	snprintf(who, sizeof(who), "id=%u", id);
	if (spawn("fuzz", argv, &options, child) == 0)
		return true;
	printf("fuzz: cannot start %s\n", spawn_error());
	failures++;
	return false;
}

static bool start_worker(unsigned i)
{
	long told = sys_handle_dup(ends, WEIR_R_WRITE, i + 1);
	struct child child;
	bool ok = start("--worker", i, (handle_t)told, &child);

	sys_handle_close((handle_t)told);
	sys_ntfn_wait(lock, 1, 0, NULL);
	workers[i] = (struct worker){ .child = child, .runs = ok };
	sys_ntfn_signal(lock, 1);
	return ok;
}

/* --- the watch ------------------------------------------------------------ */

/* What only the privileged may: everything that changes how the kernel
 * works, but not what ends it or makes its memory lose bytes. */
static void disturb(uint64_t *rng)
{
	static const uint8_t ops[] = { WEIR_CTL_POLICY, WEIR_CTL_BATCH,
				       WEIR_CTL_DELAY, WEIR_CTL_RECLAIM,
				       WEIR_CTL_TEST, 0, 99 };
	uint64_t r = next_random(rng), op = ops[r % sizeof(ops)];
	uint64_t arg = next_random(rng) >> (r >> 8) % 64;

	if (op == WEIR_CTL_DELAY)
		arg %= 64;
	if (op == WEIR_CTL_RECLAIM)
		arg %= system_before.frames_total;
	if (op == WEIR_CTL_TEST)
		arg = r >> 16 & 1 ? WEIR_TEST_LOOK : WEIR_TEST_FLUSH;
	count_call(WEIR_SYS_sys_ctl, 0, false);
	count_call(WEIR_SYS_sys_ctl, sys_sys_ctl(op, arg, r >> 20), true);
}

/* With check=audit counts the kernel's things: it panics if they are not as
 * they should be. False: something was under way, so not all was compared. */
static bool audit(void)
{
	return sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_AUDIT, 0) != -WEIR_EBUSY;
}

static void disturb_all(void *arg)
{
	uint64_t rng = seed * 77 | 1;

	(void)arg;
	while (__atomic_load_n(&watching, __ATOMIC_RELAXED)) {
		sleep_ns(DISTURB_NS);
		disturb(&rng);
		audit();
	}
}

/* Kills a worker whose threads all wait for something that does not come. */
static void look_at(unsigned i)
{
	struct worker *w = &workers[i];
	uint64_t seen = __atomic_load_n(&shared->progress[i],
					__ATOMIC_RELAXED);

	if (!w->runs)
		return;
	w->ticks = seen == w->seen ? w->ticks + 1 : 0;
	w->seen = seen;
	if (w->ticks < STALL_TICKS)
		return;
	if (!w->killed_at) {
		w->killed_at = now_ns();
		sys_task_kill(w->child.task, STALLED);
	} else if (now_ns() - w->killed_at > PATIENCE_NS) {
		complain("a killed worker does not end");
		exit(1);
	}
}

static void watch(void *arg)
{
	(void)arg;
	/* As the main thread: some workers have that, too. */
	sys_thread_ctl(0, WEIR_THREAD_PRIO, 31);
	while (__atomic_load_n(&watching, __ATOMIC_RELAXED)) {
		sleep_ns(TICK_NS);
		sys_ntfn_wait(lock, 1, 0, NULL);
		for (unsigned i = 0; i < nworkers; i++)
			look_at(i);
		sys_ntfn_signal(lock, 1);
	}
}

/* --- a round -------------------------------------------------------------- */
static void count_end(int64_t status)
{
	fate.ends++;
	if (status == -WEIR_EFAULT)
		fate.faults++;
	else if (status == -WEIR_ENOMEM)
		fate.hungry++;
	else if (status == STALLED)
		fate.stalls++;
	else if (status != 0)
		fate.kills++;
}

/* Until the calls are made and all have ended. */
static void reap(void)
{
	const struct weir_msg kill = { .label = 1 };
	unsigned running = nworkers;
	struct weir_msg m;

	while (running && sys_ipc_recv(ends, &m) == 0) {
		unsigned i = (unsigned)m.badge - 1;

		if (m.label != WEIR_MSG_EXIT) {
			sys_ipc_reply(&kill);
			continue;
		}
		count_end((int64_t)m.w[0]);
		sys_ntfn_wait(lock, 1, 0, NULL);
		workers[i].runs = false;
		child_free(&workers[i].child);
		sys_ntfn_signal(lock, 1);
		if (__atomic_load_n(&shared->left, __ATOMIC_RELAXED) <= 0 ||
		    !start_worker(i))
			running--;
	}
}

static void play(uint64_t n)
{
	struct uthread *watcher, *disturber;
	struct child peers;
	int status;

	extra[X_SERVED] = (handle_t)sys_ep_create();
	extra[X_CALLED] = (handle_t)sys_ep_create();
	extra[X_SIGNALS] = (handle_t)sys_ntfn_create();
	shared->left = (int64_t)n;
	if (!start("--peers", 0, 0, &peers))
		exit(1);
	for (unsigned i = 0; i < nworkers; i++)
		if (!start_worker(i))
			exit(1);
	watching = true;
	watcher = uthread_start(watch, NULL, -1);
	disturber = uthread_start(disturb_all, NULL, -1);
	if (!watcher || !disturber)
		exit(1);
	reap();
	__atomic_store_n(&watching, false, __ATOMIC_RELAXED);
	uthread_join(watcher);
	uthread_join(disturber);
	sys_task_kill(peers.task, OVER);
	if (child_wait(&peers, &status) < 0 || status != OVER)
		complain("the peers ended by themselves");
	for (unsigned i = X_SERVED; i <= X_SIGNALS; i++) {
		sys_handle_close(extra[i]);
		extra[i] = 0;
	}
	sys_sys_ctl(WEIR_CTL_POLICY, system_before.policy, 0);
	sys_sys_ctl(WEIR_CTL_BATCH, system_before.batch, 0);
	sys_sys_ctl(WEIR_CTL_DELAY, system_before.delay_us, 0);
}

/* --- what is left --------------------------------------------------------- */
struct account {
	uint64_t frames, slots, handles, ntasks;
	uint32_t tasks[TASKS];
};

/* The kernel keeps the stacks of threads that have ended, and of its heap one
 * free frame a size, if it ever had one: so have many of everything once. */
static void prime(void)
{
	static handle_t tasks[PRIMES], others[PRIMES][3];

	for (unsigned i = 0; i < PRIMES; i++) {
		long t = sys_task_create(0, "prime", 5, 0, NULL);

		tasks[i] = (handle_t)t;
		others[i][0] = (handle_t)sys_ntfn_create();
		others[i][1] = (handle_t)sys_ep_create();
		others[i][2] = (handle_t)sys_mem_create(1, 0);
		sys_handle_give(tasks[i], others[i][0], WEIR_R_ALL);
		sys_mem_map(tasks[i], others[i][2], 0, 0, 1, WEIR_P_READ);
		sys_mem_map(tasks[i], others[i][2], 0, 0, 1, WEIR_P_READ);
	}
	for (unsigned i = 0; i < PRIMES; i++) {
		sys_handle_close(tasks[i]);
		for (unsigned k = 0; k < 3; k++)
			sys_handle_close(others[i][k]);
	}
}

static void count(struct account *a)
{
	struct weir_system sys;
	struct weir_task task;

	memset(a, 0, sizeof(*a));
	account_reclaim(&sys);
	a->frames = sys.frames_free + sys.frames_anon;
	a->slots = sys.swap_free;
	a->handles = account_handles();
	while (a->ntasks < TASKS &&
	       sys_sys_info(WEIR_INFO_TASK, a->ntasks, &task,
			    sizeof(task)) > 0)
		a->tasks[a->ntasks++] = task.id;
}

/* As killio: has all reclaimed until the counts stay the same, and an audit
 * found all at rest. */
static void settle(struct account *a)
{
	struct account last = { 0 };
	unsigned same = 0;
	bool audited = false;

	prime();
	for (unsigned i = 0; i < TRIES && !(same >= SETTLED && audited); i++) {
		count(a);
		same = memcmp(a, &last, sizeof(last)) ? 0 : same + 1;
		last = *a;
		sleep_ns(NS_PER_MS);
		audited |= audit();
	}
	if (same < SETTLED || !audited)
		complain("the counts do not settle");
}

static void compare(const struct account *a, const struct account *b,
		    unsigned round)
{
	if (memcmp(a, b, sizeof(*a)) == 0)
		return;
	printf("fuzz: round %u: frames %llu, then %llu; free slots %llu, then "
	       "%llu; free handles %llu, then %llu; tasks %llu, then %llu\n",
	       round, (unsigned long long)a->frames,
	       (unsigned long long)b->frames, (unsigned long long)a->slots,
	       (unsigned long long)b->slots, (unsigned long long)a->handles,
	       (unsigned long long)b->handles, (unsigned long long)a->ntasks,
	       (unsigned long long)b->ntasks);
	failures++;
}

static void ask_bystander(void)
{
	uint64_t bits = 0;

	sys_ntfn_signal(extra[X_GO], 1);
	if (sys_ntfn_wait(extra[X_TOLD], TOLD_GOOD, now_ns() + PATIENCE_NS,
			  NULL) < 0)
		complain("the bystander does not answer");
	if (sys_ntfn_wait(extra[X_TOLD], TOLD_BAD, now_ns(), &bits) == 0)
		complain("the bystander has lost bytes");
}

/* --- what was done -------------------------------------------------------- */
static const char *const names[WEIR_NSYSCALLS + 1] = {
#define SYSCALL(nr, name, object, right, ...) [nr] = #name,
#include "kernel/abi/syscalls.def"
	"(no such)",
};

/* Can it succeed? Nobody here has an interrupt or ports, or is a system task;
 * the last two do not return or do not exist. */
static bool can_succeed(unsigned nr)
{
	return nr != WEIR_SYS_dev_irq && nr != WEIR_SYS_port_in &&
	       nr != WEIR_SYS_port_out && nr != WEIR_SYS_ports_narrow &&
	       nr != WEIR_SYS_mem_pin &&
	       nr != WEIR_SYS_thread_exit && nr != WEIR_NSYSCALLS;
}

static void report(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i <= WEIR_NSYSCALLS; i++) {
		sum += shared->made[i];
		printf(json ? "{\"call\": \"%s\", \"made\": %llu, \"good\": "
			      "%llu}\n" : "%-16s %8llu %8llu\n", names[i],
		       (unsigned long long)shared->made[i],
		       (unsigned long long)shared->good[i]);
		/* So many must be enough for each to succeed. */
		if (calls >= 100000 && (!shared->made[i] ||
		    (can_succeed(i) && !shared->good[i])))
			complain("a call was not made, or never succeeded");
	}
	printf(json ? "{\"calls\": %llu, \"workers\": %llu, \"faults\": %llu, "
		      "\"stalls\": %llu, \"kills\": %llu, \"nomem\": %llu, "
		      "\"failed\": %u}\n" :
	       "fuzz: %llu calls; %llu workers: %llu of faults, %llu stood "
	       "still, %llu were killed, %llu out of memory; %u failed\n",
	       (unsigned long long)sum, (unsigned long long)fate.ends,
	       (unsigned long long)fate.faults,
	       (unsigned long long)fate.stalls,
	       (unsigned long long)fate.kills,
	       (unsigned long long)fate.hungry, failures);
}

static int supervise(void)
{
	struct account before, after;
	struct child bystander;
	handle_t mem;

	system_read(&system_before);
	nworkers = system_before.cpus < 4 ? 2 : WORKERS_MAX / 2;
	shared = pages_map(1, &mem);
	extra[X_SHARED] = mem;
	extra[X_GO] = (handle_t)sys_ntfn_create();
	extra[X_TOLD] = (handle_t)sys_ntfn_create();
	ends = (handle_t)sys_ep_create();
	lock = (handle_t)sys_ntfn_create();
	sys_ntfn_signal(lock, 1);
	if (!shared || !start("--bystander", 0, 0, &bystander) ||
	    sys_ntfn_wait(extra[X_TOLD], TOLD_READY, now_ns() + PATIENCE_NS,
			  NULL) < 0)
		return 1;
	if (!account_prime_stacks(PRIMES))
		return 1;
	sys_thread_ctl(0, WEIR_THREAD_PRIO, 31); /* some workers have that */
	for (unsigned round = 1; round <= ROUNDS && !failures; round++) {
		if (round > 1)
			sys_ntfn_signal(extra[X_GO], 2);
		play(calls / ROUNDS + (round == 1 ? calls % ROUNDS : 0));
		ask_bystander();
		settle(round <= WARM_UP ? &before : &after);
		if (round > WARM_UP)
			compare(&before, &after, round);
	}
	report();
	return failures ? 1 : 0;
}

int main(int argc, char **argv)
{
	const char *role = argc > 1 && argv[1][0] == '-' ? argv[1] : NULL;
	struct weir_system sys;
	uint64_t id = 0;

	system_read(&sys);
	seed = sys.seed;
	for (int i = role ? 2 : 1; i < argc; i++)
		if (!strcmp(argv[i], "json")) {
			json = true;
		} else if (!arg_u64(argv[i], "seed", &seed) &&
			   !arg_u64(argv[i], "calls", &calls) &&
			   !(role && arg_u64(argv[i], "id", &id))) {
			printf("usage: fuzz [seed=N] [calls=N] [json]\n");
			return STATUS_USAGE;
		}
	if (role && !strcmp(role, "--worker"))
		return worker_main(seed, id);
	if (role && !strcmp(role, "--peers"))
		return peers_main();
	if (role)
		return bystander_main();
	if (!json)
		printf("fuzz: seed=%llu; again: tools/weir vm --cpus %u -- "
		       "fuzz seed=%llu calls=%llu\n",
		       (unsigned long long)seed, sys.cpus,
		       (unsigned long long)seed, (unsigned long long)calls);
	return supervise();
}
