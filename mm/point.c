/*
 * point.c - holding CPUs at named places, and delaying them there.
 */
#include "mm/point.h"

#include "mm/tlb_switch.h"

uint64_t points_armed;

static struct {
	bool hold, held; /* atomic */
	int cpu;         /* that is meant; -1: any. Set before `hold` */
} points[WEIR_NPOINTS];

static uint64_t delays;         /* a bit each; constant after boot */
static uint64_t rngs[MAX_CPUS]; /* each its CPU's */

static void pause_at_random(void)
{
	uint64_t *rng = &rngs[cpu_id()], start = time_ns();

	*rng ^= *rng << 13; /* xorshift64 */
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	/* Mostly short, so that work goes on, and now and then long. Where an
	 * emulator runs one CPU at a time only a long one gives the turn away:
	 * it comes back after milliseconds. */
	bool gives_way = !(*rng >> 60);
	uint64_t most = gives_way ? 400000 : 4000;

	while (time_ns() - start < *rng % most)
		if (gives_way)
			cpu_relax();
}

void point_reached(enum weir_point p)
{
	if (delays >> p & 1)
		pause_at_random();
	if (!__atomic_load_n(&points[p].hold, __ATOMIC_ACQUIRE) ||
	    (points[p].cpu >= 0 && points[p].cpu != (int)cpu_id()) ||
	    __atomic_exchange_n(&points[p].held, true, __ATOMIC_SEQ_CST))
		return;
	while (__atomic_load_n(&points[p].hold, __ATOMIC_ACQUIRE))
		cpu_relax();
	__atomic_store_n(&points[p].held, false, __ATOMIC_RELEASE);
}

void point_hold(enum weir_point p, int cpu)
{
	tlb_slow_switch = true;
	points[p].cpu = cpu;
	__atomic_store_n(&points[p].hold, true, __ATOMIC_SEQ_CST);
	__atomic_or_fetch(&points_armed, 1ull << p, __ATOMIC_SEQ_CST);
}

bool point_held(enum weir_point p)
{
	return __atomic_load_n(&points[p].held, __ATOMIC_SEQ_CST);
}

void point_release(enum weir_point p)
{
	if (!(delays >> p & 1))
		__atomic_and_fetch(&points_armed, ~(1ull << p),
				   __ATOMIC_SEQ_CST);
	__atomic_store_n(&points[p].hold, false, __ATOMIC_SEQ_CST);
	while (point_held(p))
		cpu_relax();
}

void point_delay(uint64_t set, uint64_t seed)
{
	for (unsigned i = 0; i < MAX_CPUS; i++)
		rngs[i] = (seed + 1) * 0x9e3779b97f4a7c15ull ^ (i + 1);
	delays = set;
	points_armed |= set;
	tlb_slow_switch |= set != 0;
}
