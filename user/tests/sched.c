/*
 * sched.c - the scheduler's promises, by handshakes on counters.
 *
 *   sched
 *
 *  priority    of two threads on one CPU the higher one runs, and the lower
 *              one not at all until the higher one sleeps; it runs again as
 *              soon as it is woken;
 *  preemption  of two threads of one priority on one CPU each gets its turn
 *              though neither ever enters the kernel;
 *  balancing   threads that start on one CPU, as many as there are CPUs, are
 *              soon seen each on a CPU of its own.
 *
 * What must happen is awaited for a number of yields, never for a time.
 * Also right on one CPU, where main shares it with those that it watches.
 * Exit status 1: a line says what is not so.
 */
#include "user/tests/check.h"

#define LIMIT 3000000u /* yields */
#define HIGH 20
#define LOW 10
#define TURNS 20
#define STEPS 10000000u /* of a spinning thread: some slices */
#define START 1000u     /* enough to see that it runs */
#define ROUNDS 3000u /* of asking everyone */
#define MAXT 64

static volatile bool stop;

/* Yields until `x`; false: it did not come true. */
#define AWAIT(x)                                                  \
	({                                                        \
		unsigned left_ = LIMIT;                           \
		while (!(x) && --left_)                           \
			uthread_yield();                          \
		left_ > 0;                                        \
	})

static void set_prio(unsigned prio)
{
	CHECK(sys_thread_ctl(0, WEIR_THREAD_PRIO, prio) == 0);
}

/* --- priority ------------------------------------------------------------ */
static volatile uint64_t high, low; /* each counted by one thread */
static volatile bool high_sleeps;   /* an order to the higher one ... */
static volatile bool high_obeys;    /* ... that it is about to follow */
static handle_t alarm;

static void run_high(void *arg)
{
	(void)arg;
	set_prio(HIGH);
	while (!stop) {
		if (high_sleeps) {
			high_obeys = true;
			sys_ntfn_wait(alarm, 1, 0, NULL);
		}
		high++;
	}
}

static void run_low(void *arg)
{
	(void)arg;
	set_prio(LOW);
	while (!stop)
		low++;
}

/* The higher one makes STEPS; meanwhile the lower one makes none. */
static void check_high_alone(void)
{
	uint64_t start, still;

	start = high;
	CHECK(AWAIT(high != start)); /* it has the CPU, so the other has not */
	still = low;
	start = high;
	CHECK(AWAIT(high - start > STEPS));
	CHECK(low == still);
}

/* Main stays as low as the lower one where that is to run, and as high as
 * the higher one where it orders or watches that: on one CPU the three
 * exclude each other. */
static void test_priority(int cpu)
{
	struct uthread *h, *l;
	uint64_t start;

	high_sleeps = true;
	set_prio(LOW);
	h = uthread_start(run_high, NULL, cpu);
	l = uthread_start(run_low, NULL, cpu);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(AWAIT(high_obeys));
		start = low;
		CHECK(AWAIT(low - start > START));
		set_prio(HIGH);
		high_sleeps = high_obeys = false;
		sys_ntfn_signal(alarm, 1);
		check_high_alone();
		high_sleeps = true;
		set_prio(LOW);
	}
	stop = true;
	sys_ntfn_signal(alarm, 1);
	uthread_join(h);
	uthread_join(l);
}

/* --- preemption ----------------------------------------------------------- */
static volatile uint64_t turn; /* thread turn % 2 is to take it */

static void take_turns(void *arg)
{
	uint64_t self = (uintptr_t)arg;

	while (!stop && turn < TURNS)
		if (turn % 2 == self)
			turn++;
}

static void test_preemption(int cpu)
{
	struct uthread *t[2];

	stop = false;
	turn = 0;
	for (uintptr_t i = 0; i < 2; i++)
		t[i] = uthread_start(take_turns, (void *)i, cpu);
	CHECK(AWAIT(turn >= TURNS));
	stop = true;
	for (unsigned i = 0; i < 2; i++)
		uthread_join(t[i]);
}

/* --- balancing ------------------------------------------------------------ */
static volatile unsigned round;         /* main's question ... */
static volatile unsigned answer[MAXT];  /* ... the round that it is for */
static volatile unsigned seen_on[MAXT]; /* and where the thread was then */
static volatile bool released;

static uint64_t all_cpus(unsigned cpus)
{
	return cpus == 64 ? ~0ull : (1ull << cpus) - 1;
}

static long unpin(unsigned cpus)
{
	return sys_thread_ctl(0, WEIR_THREAD_AFFINITY, all_cpus(cpus));
}

/* Starts pinned to one CPU, and leaves it when it is told to. */
static void tell_cpu(void *arg)
{
	unsigned self = (unsigned)(uintptr_t)arg;
	struct weir_system sys;
	bool pinned = true;

	system_read(&sys);
	while (!stop) {
		if (released && pinned)
			pinned = unpin(sys.cpus) != 0;
		seen_on[self] = (unsigned)uthread_cpu();
		answer[self] = round;
	}
}

/* Asks the `n` threads where they are, and waits for the answers. Returns
 * their CPUs and ours. */
static uint64_t ask(unsigned n)
{
	uint64_t where = 0;

	round++;
	for (unsigned i = 0; i < n; i++) {
		CHECK(AWAIT(answer[i] == round));
		where |= 1ull << seen_on[i];
	}
	return where | 1ull << uthread_cpu();
}

static void test_balancing(unsigned cpus)
{
	struct uthread *t[MAXT];
	unsigned n = cpus - 1, rounds = 0; /* main is one of the threads */
	uint64_t where;

	stop = released = false;
	CHECK(uthread_pin(0) == 0);
	for (uintptr_t i = 0; i < n; i++)
		t[i] = uthread_start(tell_cpu, (void *)i, 0);
	CHECK(ask(n) == 1);
	released = true;
	CHECK(unpin(cpus) == 0);
	do
		where = ask(n);
	while (where != all_cpus(cpus) && ++rounds < ROUNDS);
	CHECK(where == all_cpus(cpus));
	stop = true;
	for (unsigned i = 0; i < n; i++)
		uthread_join(t[i]);
	printf("sched: %u threads on %u CPUs after %u rounds\n", cpus, cpus,
	       rounds);
}

int main(int argc, char **argv)
{
	struct weir_system sys;

	(void)argv;
	system_read(&sys);
	alarm = (handle_t)sys_ntfn_create();
	if (argc > 1) {
		printf("usage: sched\n");
		return STATUS_USAGE;
	}
	test_priority((int)sys.cpus - 1);
	set_prio(15);
	test_preemption((int)sys.cpus - 1);
	test_balancing(sys.cpus);
	printf("sched: %u failed\n", failures);
	return failures ? 1 : 0;
}
