/*
 * shootlab.c - lab shootdown: does every CPU forget, in time, and only if it
 * must?
 *
 *   shootlab protect    what is forbidden is forbidden on all CPUs at once
 *   shootlab crossfire  all CPUs take pages from each other, all the time
 *   shootlab leave      tasks end while other CPUs still have their tables
 *   shootlab lazy       a CPU that only borrows the tables is not interrupted,
 *                       and catches up when it is back
 *
 * Needs a privileged shell. Exit status 1: a line says what is not so.
 */
#include "labs/lab.h"

#define PAGE WEIR_PAGE_SIZE
#define WORDS (PAGE / 8)
#define RW (WEIR_P_READ | WEIR_P_WRITE)
#define MAXT 64

static struct weir_system sys;
static struct ubarrier barrier;
static volatile uint64_t *region;
static uint64_t npages;
static unsigned wrong; /* atomic */

static volatile uint64_t *page(uint64_t i)
{
	return region + i * WORDS;
}

static long protect(uint64_t first, uint64_t n, unsigned prot)
{
	return sys_mem_protect(startup->self, (uintptr_t)page(first), n, prot);
}

/* The kernel stores for us: 0, or -WEIR_EFAULT where it may not. */
static long store(volatile void *va)
{
	return sys_object_info(startup->self, (void *)va,
			       sizeof(struct weir_object_info));
}

static void stores(long status)
{
	for (uint64_t i = 0; i < npages; i++)
		if (store(page(i)) != status)
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
}

/* fn(cpu) on every CPU; main is that of CPU 0. */
static void everywhere(void (*fn)(void *))
{
	struct uthread *t[MAXT];

	uthread_pin(0);
	for (uintptr_t cpu = 1; cpu < sys.cpus; cpu++)
		t[cpu] = uthread_start(fn, (void *)cpu, (int)cpu);
	fn(NULL);
	for (unsigned cpu = 1; cpu < sys.cpus; cpu++)
		uthread_join(t[cpu]);
}

/* ---- protect ------------------------------------------------------------- */
#define ROUNDS 8u

/* All meet, and nobody sleeps: their CPUs stay in user mode, with what they
 * have in their TLBs, and are not lazy. */
static void meet(void)
{
	static unsigned arrived, meetings; /* atomic */
	unsigned now = __atomic_load_n(&meetings, __ATOMIC_SEQ_CST);

	if (__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST) == sys.cpus) {
		__atomic_store_n(&arrived, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&meetings, now + 1, __ATOMIC_SEQ_CST);
	}
	while (__atomic_load_n(&meetings, __ATOMIC_SEQ_CST) == now)
		__builtin_ia32_pause();
}

static void protect_round(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;

	for (unsigned r = 0; r < ROUNDS; r++) {
		unsigned who = r % sys.cpus;

		stores(0);
		meet();
		if (id == who)
			CHECK(protect(0, npages, WEIR_P_READ) == 0);
		meet();
		stores(-WEIR_EFAULT);
		meet();
		if (id == who)
			CHECK(protect(0, npages, RW) == 0);
		meet();
	}
}

static void protect_all(void)
{
	static const unsigned sizes[] = { 1, 5, 100 };

	for (unsigned i = 0; i < 3; i++) {
		npages = sizes[i];
		region = pages_map(npages, NULL);
		everywhere(protect_round);
		pages_unmap((void *)region, npages);
		CHECK(wrong == 0);
		wrong = 0;
		lab_part(i == 0 ? "a page" : i == 1 ? "a range" : "all");
	}
}

/* ---- crossfire ----------------------------------------------------------- */
#define SHOTS 400u

/* Each has a page that it takes from all, and gives back. */
static void shoot(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;

	for (unsigned s = 0; s < SHOTS; s++) {
		if (protect(id, 1, WEIR_P_READ) ||
		    store(page(id)) != -WEIR_EFAULT ||
		    protect(id, 1, RW) || store(page(id)) != 0)
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	}
	ubarrier_wait(&barrier, id);
}

static void crossfire(void)
{
	npages = sys.cpus;
	region = pages_map(npages, NULL);
	stores(0);
	everywhere(shoot);
	CHECK(wrong == 0);
	lab_part("crossfire");
}

/* ---- leave --------------------------------------------------------------- */
static void leave(void)
{
	char *argv[] = { "true", NULL };

	for (unsigned i = 0; i < 16; i++) {
		struct child child;
		int status = -1;

		CHECK(spawn("true", argv, NULL, &child) == 0);
		CHECK(child_wait(&child, &status) == 0 && status == 0);
	}
	lab_part("leave");
}

/* ---- lazy ---------------------------------------------------------------- */
#define UNMAPS 50u

static handle_t alarm;

/* Fills its TLB, sleeps, and looks what it may still do. */
static void sleeper(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;

	stores(0);
	ubarrier_wait(&barrier, id);
	sys_ntfn_wait(alarm, 1ull << id, 0, NULL);
	stores(-WEIR_EFAULT);
}

static void lazy(void)
{
	struct uthread *t[MAXT];
	uint64_t before;

	npages = 4;
	region = pages_map(npages, NULL);
	alarm = (handle_t)sys_ntfn_create();
	uthread_pin(0);
	for (uintptr_t cpu = 1; cpu < sys.cpus; cpu++)
		t[cpu] = uthread_start(sleeper, (void *)cpu, (int)cpu);
	ubarrier_wait(&barrier, 0);
	sleep_ns(100000000); /* until all are idle, which costs at most that */
	before = counter(WEIR_C_ipi_sent);
	for (unsigned i = 0; i < UNMAPS; i++) {
		CHECK(protect(0, npages, WEIR_P_READ) == 0);
		CHECK(protect(0, npages, RW) == 0);
		stores(0);
	}
	CHECK(protect(0, npages, WEIR_P_READ) == 0);
	CHECK(counter(WEIR_C_ipi_sent) - before < UNMAPS);
	lab_part("spared");
	sys_ntfn_signal(alarm, ~0ull);
	for (unsigned cpu = 1; cpu < sys.cpus; cpu++)
		uthread_join(t[cpu]);
	CHECK(wrong == 0);
	lab_part("catch up");
}

int main(int argc, char **argv)
{
	static const struct lab_scene all[] = {
		{ "protect", protect_all }, { "crossfire", crossfire },
		{ "leave", leave }, { "lazy", lazy },
		{ NULL, NULL },
	};

	system_read(&sys);
	ubarrier_init(&barrier, NULL, sys.cpus);
	return lab_play(argc, argv, all);
}
