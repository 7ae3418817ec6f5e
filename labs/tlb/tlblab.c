/*
 * tlblab.c - lab tlb: is the debt paid in time, and not more often than it
 * must be?
 *
 *   tlblab spared   flushes that nobody needs: pages that nobody can write
 *                   are written out without one, many pages share one, and
 *                   what is paid is not paid again
 *   tlblab count    `part`s of flushcount: each policy's promise
 *
 * Needs a privileged shell and two CPUs. Exit status 1: a line says what is
 * not so.
 */
#include "labs/lab.h"

#define PAGE WEIR_PAGE_SIZE
#define WORDS (PAGE / 8)
#define N 256u

static struct weir_system sys;
static volatile bool stop;
static unsigned spinning;

/* Another CPU that runs in this space, so that a flush is a round. */
static void spin(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&spinning, 1, __ATOMIC_RELEASE);
	while (!stop)
		__builtin_ia32_pause();
}

static struct uthread *company(void)
{
	struct uthread *t = uthread_start(spin, NULL, 1);

	uthread_pin(0);
	while (!__atomic_load_n(&spinning, __ATOMIC_ACQUIRE))
		uthread_yield();
	return t;
}

static long reclaim(uint64_t n)
{
	return sys_sys_ctl(WEIR_CTL_RECLAIM, n, 0);
}

static volatile uint64_t *map(handle_t mem)
{
	return (volatile uint64_t *)sys_mem_map(startup->self, mem, 0, 0, N,
						WEIR_P_READ | WEIR_P_WRITE);
}

static void unmap(volatile uint64_t *at)
{
	CHECK(sys_mem_unmap(startup->self, (uintptr_t)at, N) == 0);
}

/* Pages are dirty in memory, but no entry for them is: they were mapped
 * again, and only read. Their IO needs no flush. */
static void not_writable(void)
{
	handle_t mem = (handle_t)sys_mem_create(N, 0);
	volatile uint64_t *at = map(mem);
	uint64_t io, written, rounds;

	reclaim(4 * N);
	for (unsigned i = 0; i < N; i++)
		at[i * WORDS] = ~(uint64_t)i;
	unmap(at);
	at = map(mem);
	for (unsigned i = 0; i < N; i++)
		(void)*(volatile uint64_t *)&at[i * WORDS];
	io = counter(WEIR_C_tlb_flush_before_io);
	rounds = counter(WEIR_C_nr_tlb_remote_flush);
	written = counter(WEIR_C_pswpout);
	reclaim(N / 2);
	written = counter(WEIR_C_pswpout) - written;
	CHECK(written >= N / 4);
	CHECK(counter(WEIR_C_tlb_flush_before_io) - io < written / 8);
	CHECK(counter(WEIR_C_nr_tlb_remote_flush) - rounds > 0);
	CHECK(counter(WEIR_C_nr_tlb_remote_flush) - rounds < written / 8);
	for (unsigned i = 0; i < N; i++)
		CHECK(at[i * WORDS] == ~(uint64_t)i);
	unmap(at);
	sys_handle_close(mem);
	lab_part("writable");
}

/* A pass has paid: an unmap that takes nothing pays nothing. */
static void paid(void)
{
	volatile uint64_t *at = pages_map(N, NULL), *hole = pages_map(N, NULL);
	uint64_t rounds;

	for (unsigned i = 0; i < N; i++)
		at[i * WORDS] = i;
	reclaim(4 * N);
	CHECK(!present(at));
	pages_unmap((void *)hole, N); /* at most this one pays */
	rounds = counter(WEIR_C_nr_tlb_remote_flush);
	for (unsigned i = 0; i < 20; i++)
		pages_unmap(pages_map(N, NULL), N);
	CHECK(counter(WEIR_C_nr_tlb_remote_flush) - rounds < 5);
	lab_part("retired");
	/* And two that took something pay once each. */
	rounds = counter(WEIR_C_nr_tlb_remote_flush);
	for (unsigned i = 0; i < 20; i++) {
		volatile uint64_t *one = pages_map(1, NULL);

		*one = i;
		pages_unmap((void *)one, 1);
	}
	rounds = counter(WEIR_C_nr_tlb_remote_flush) - rounds;
	CHECK(rounds >= 10 && rounds < 30);
	lab_part("once");
	pages_unmap((void *)at, N);
}

static void spared(void)
{
	struct uthread *t = company();

	sys_sys_ctl(WEIR_CTL_POLICY, WEIR_TLB_BATCH_DIRTY, 0);
	not_writable();
	paid();
	stop = true;
	uthread_join(t);
	sys_sys_ctl(WEIR_CTL_POLICY, sys.policy, 0);
}

/* ---- count --------------------------------------------------------------- */
/* Rounds for `freed` frames: those of N pages, all dirty or all clean. */
static uint64_t measure(volatile uint64_t *at, unsigned policy, bool dirty,
			uint64_t *freed)
{
	uint64_t rounds;

	sys_sys_ctl(WEIR_CTL_POLICY, WEIR_TLB_TWO_PASS, 0);
	reclaim(8 * N);
	for (unsigned i = 0; i < 4 * N; i++)
		at[i * WORDS]++;
	if (!dirty)
		reclaim(8 * N);
	for (unsigned i = 0; !dirty && i < 4 * N; i++)
		(void)*(volatile uint64_t *)&at[i * WORDS];
	sys_sys_ctl(WEIR_CTL_POLICY, policy, 0);
	*freed = counter(WEIR_C_pgsteal);
	rounds = counter(WEIR_C_nr_tlb_remote_flush);
	reclaim(3 * N);
	*freed = counter(WEIR_C_pgsteal) - *freed;
	return counter(WEIR_C_nr_tlb_remote_flush) - rounds;
}

static void count(void)
{
	struct uthread *t = company();
	volatile uint64_t *at = pages_map(4 * N, NULL);

	for (unsigned p = 0; p < WEIR_NPOLICIES; p++)
		for (unsigned dirty = 0; dirty < 2; dirty++) {
			bool each = p == WEIR_TLB_IMMEDIATE ||
				    (dirty && (p == WEIR_TLB_BATCH_CLEAN ||
					       p == WEIR_TLB_BATCH_DIRTY));
			uint64_t freed, rounds = measure(at, p, dirty, &freed);

			printf("%s, %s: %llu rounds for %llu frames\n",
			       policy_names[p], dirty ? "dirty" : "clean",
			       (unsigned long long)rounds,
			       (unsigned long long)freed);
			CHECK(freed >= 2 * N);
			if (each)
				CHECK(2 * rounds >= freed &&
				      4 * rounds <= 5 * freed + 64);
			else
				CHECK((rounds || !dirty) &&
				      24 * rounds <= freed);
			lab_part(policy_names[p]);
		}
	stop = true;
	uthread_join(t);
	sys_sys_ctl(WEIR_CTL_POLICY, sys.policy, 0);
}

int main(int argc, char **argv)
{
	static const struct lab_scene all[] = {
		{ "spared", spared }, { "count", count },
		{ NULL, NULL },
	};

	system_read(&sys);
	if (sys.cpus < 2)
		return STATUS_USAGE;
	return lab_play(argc, argv, all);
}
