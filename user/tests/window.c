/*
 * window.c - the kernel's promises, each where it is hardest to keep.
 *
 *   window [SCENE...]
 *
 * A scene holds a window open, between two steps of the kernel, and does what
 * must not matter then: no race is met by luck. tests/mutants.py says which
 * planted bug each must catch. Prints a line for what is wrong; exit status 1
 * if there was one. Without a name all scenes are played.
 */
#include <string.h>

#include "user/tests/account.h"
#include "user/tests/window/window.h"

static const struct scene {
	const char *name;
	void (*play)(void);
} scenes[] = {
#define ROW(name) { #name, scene_##name },
	SCENES(ROW)
};
#define NSCENES (sizeof(scenes) / sizeof(*scenes))

#define STACK 4096u
#define HANDS 8
#define FAILURES_SHOWN 8

/* All that hands write to, pinned. */
static struct stage {
	char stacks[HANDS][STACK];
	struct hand hands[HANDS];
	unsigned nhands;
	unsigned checks, failures;
	struct failure {
		const char *file, *what;
		int line;
	} failed[FAILURES_SHOWN];
	void (*play)(void);
	handle_t over;
} *stage;

void check(bool good, const char *what, const char *file, int line)
{
	stage->checks++;
	if (good)
		return;
	if (stage->failures < FAILURES_SHOWN)
		stage->failed[stage->failures] =
			(struct failure){ file, what, line };
	stage->failures++;
}

/* --- hands ---------------------------------------------------------------- */
static void work(uint64_t arg)
{
	struct hand *h = (struct hand *)arg;
	job_fn *job;

	for (;;) {
		while (!(job = __atomic_load_n(&h->job, __ATOMIC_SEQ_CST)))
			__builtin_ia32_pause();
		h->result = job(h->arg);
		__atomic_store_n(&h->job, NULL, __ATOMIC_SEQ_CST);
	}
}

struct hand *hand_start(int cpu)
{
	unsigned n = stage->nhands++;
	struct hand *h = &stage->hands[n];
	long thread;

	*h = (struct hand){ .cpu = cpu };
	thread = sys_thread_create(startup->self, (uintptr_t)work,
				   (uintptr_t)stage->stacks[n + 1] - 8,
				   (uintptr_t)h);
	CHECK(thread > 0);
	h->thread = (handle_t)thread;
	CHECK(sys_thread_ctl(h->thread, WEIR_THREAD_AFFINITY,
			     1ull << cpu) == 0);
	return h;
}

void hand_do(struct hand *h, job_fn *job, void *arg)
{
	h->arg = arg;
	__atomic_store_n(&h->job, job, __ATOMIC_SEQ_CST);
}

bool hand_done(struct hand *h)
{
	return !__atomic_load_n(&h->job, __ATOMIC_SEQ_CST);
}

bool hand_waits(struct hand *h)
{
	struct weir_object_info info;

	return sys_object_info(h->thread, &info, sizeof(info)) == 0 &&
	       info.thread.state != 0;
}

bool hand_ends(struct hand *h)
{
	while (!hand_done(h) && !hand_waits(h))
		__builtin_ia32_pause();
	return hand_done(h);
}

long hand_result(struct hand *h)
{
	while (!hand_done(h))
		__builtin_ia32_pause();
	return h->result;
}

long hand_call(struct hand *h, job_fn *job, void *arg)
{
	hand_do(h, job, arg);
	return hand_result(h);
}

/* --- points --------------------------------------------------------------- */
static long test(enum weir_test op, uint64_t arg)
{
	return sys_sys_ctl(WEIR_CTL_TEST, op, arg);
}

void hold(enum weir_point p, const struct hand *h)
{
	CHECK(test(WEIR_TEST_HOLD, p + 256 * (h ? h->cpu + 1ull : 0)) == 0);
}

bool held(enum weir_point p)
{
	return test(WEIR_TEST_HELD, p) == 1;
}

void await_held(enum weir_point p)
{
	while (!held(p))
		__builtin_ia32_pause();
}

void release(enum weir_point p)
{
	CHECK(test(WEIR_TEST_RELEASE, p) == 0);
}

/* --- pages ---------------------------------------------------------------- */
struct pages pages_of(long mem, uint64_t n)
{
	struct pages p = { .mem = (handle_t)mem, .n = n };
	long va = sys_mem_map(startup->self, p.mem, 0, 0, n, READ_WRITE);

	CHECK(mem > 0 && va > 0);
	p.va = (volatile uint64_t *)va;
	return p;
}

struct pages pages_new(uint64_t n)
{
	return pages_of(sys_mem_create(n, 0), n);
}

void pages_drop(struct pages *p)
{
	CHECK(sys_mem_unmap(startup->self, (uintptr_t)p->va, p->n) == 0);
	CHECK(sys_handle_close(p->mem) == 0);
}

volatile uint64_t *pages_at(const struct pages *p, uint64_t i)
{
	return p->va + i * (PAGE / sizeof(*p->va));
}

bool present(volatile void *va)
{
	return test(WEIR_TEST_LOOK, (uintptr_t)va) & WEIR_PTE_PRESENT;
}

long store(void *va)
{
	return sys_object_info(startup->self, va,
			       sizeof(struct weir_object_info));
}

long load(void *va)
{
	return (long)*(volatile uint64_t *)va;
}

long poke1(void *va)
{
	*(volatile uint64_t *)va = 1;
	return 0;
}

long poke2(void *va)
{
	*(volatile uint64_t *)va = 2;
	return 0;
}

long poke3(void *va)
{
	*(volatile uint64_t *)va = 3;
	return 0;
}

long unmap(void *arg)
{
	const struct pages *p = arg;

	return sys_mem_unmap(startup->self, (uintptr_t)p->va, p->n);
}

long reclaim(void *frames)
{
	return sys_sys_ctl(WEIR_CTL_RECLAIM, (uintptr_t)frames, 0);
}

void reclaim_all(void)
{
	struct weir_system sys;

	account_reclaim(&sys);
}

/* Of a TLB, asked for by another CPU. */
static uint64_t flushes(void)
{
	struct counters c;

	counters_read(&c);
	return c.v[WEIR_C_nr_tlb_remote_flush_received];
}

#define TRIES 200
#define PASSES 6 /* that look at a page until one takes it */

/* One pass, which is held if it has something to flush; true: it took the
 * page. */
static bool pass_takes(struct hand *h, volatile void *va)
{
	hold(WEIR_POINT_flush, h);
	hand_do(h, reclaim, (void *)1);
	while (!held(WEIR_POINT_flush) && !hand_done(h))
		__builtin_ia32_pause();
	return held(WEIR_POINT_flush) && !present(va);
}

void hold_pass(struct hand *h, struct hand *toucher, job_fn *touch,
	       volatile void *va)
{
	for (unsigned i = 0; i < TRIES; i++) {
		if (toucher)
			hand_call(toucher, touch, (void *)va);
		uint64_t before = flushes();

		for (unsigned k = 0; k < PASSES; k++) {
			bool taken = pass_takes(h, va);

			if (taken && (!toucher || flushes() == before))
				return;
			end_pass(h);
			if (toucher && flushes() != before)
				break;
		}
	}
	CHECK(!"a pass takes the page");
}

void end_pass(struct hand *h)
{
	release(WEIR_POINT_flush);
	hand_result(h);
}

void be_system(bool on)
{
	CHECK(test(WEIR_TEST_SYSTEM, on) == 0);
}

/* --- all of it ------------------------------------------------------------ */
static long direct(void *unused)
{
	(void)unused;
	stage->play();
	return sys_ntfn_signal(stage->over, 1);
}

static long rest(void *unused)
{
	(void)unused;
	sys_thread_exit();
	return 0;
}

static void play(const struct scene *s)
{
	stage->play = s->play;
	stage->nhands = 0;
	stage->failures = 0;
	hand_do(hand_start(CPU_SCENE), direct, NULL);
	sys_ntfn_wait(stage->over, 1, 0, NULL);
	for (unsigned i = 0; i < stage->nhands; i++) {
		struct hand *h = &stage->hands[i];

		if (hand_ends(h)) /* it is not dead already */
			hand_do(h, rest, NULL);
		while (!hand_waits(h))
			uthread_yield();
		sys_handle_close(h->thread);
	}
	for (unsigned i = 0; i < stage->failures && i < FAILURES_SHOWN; i++)
		printf("%s: %s:%d: not so: %s\n", s->name,
		       stage->failed[i].file, stage->failed[i].line,
		       stage->failed[i].what);
}

static bool set_up(void)
{
	uint64_t n = (sizeof(*stage) + PAGE - 1) / PAGE;
	handle_t mem;

	stage = pages_map(n, &mem);
	if (!stage || test(WEIR_TEST_SYSTEM, 1) ||
	    sys_mem_pin(mem, 0, n, 1) || test(WEIR_TEST_SYSTEM, 0))
		return false;
	stage->over = (handle_t)sys_ntfn_create();
	return true;
}

static const struct scene *scene_by_name(const char *name)
{
	for (unsigned i = 0; i < NSCENES; i++)
		if (strcmp(name, scenes[i].name) == 0)
			return &scenes[i];
	return NULL;
}

/* Starts the program that plays, and pins what it was loaded to: reclaim takes
 * only the pages of the scenes, and its start-up page. Its exit status. */
static int launch(char **argv)
{
	handle_t ready = (handle_t)sys_ntfn_create();
	const struct spawn_options options = {
		.privileged = true, .forkable = true, .extra = { ready } };
	struct child child;
	long error = spawn("window", argv, &options, &child);
	int status;

	if (error || test(WEIR_TEST_SYSTEM, 1)) {
		eprintf("window: %s\n", error ? spawn_error() :
			"needs a privileged shell");
		return STATUS_START;
	}
	for (unsigned i = 0; !error && i < child.nmemory; i++)
		error = sys_mem_pin(child.memory[i].mem, 0,
				    child.memory[i].pages, 1);
	if (error)
		eprintf("window: %s\n", weir_strerror(error));
	sys_ntfn_signal(ready, 1);
	return child_wait(&child, &status) || error ? STATUS_START : status;
}

int main(int argc, char **argv)
{
	unsigned failures = 0;
	struct weir_system sys;

	if (!startup->extra[0])
		return launch(argv);
	sys_ntfn_wait(startup->extra[0], 1, 0, NULL);
	system_read(&sys);
	if (sys.cpus < CPUS || !set_up()) {
		eprintf("window: needs %d CPUs, and a privileged shell\n",
			CPUS);
		return STATUS_USAGE;
	}
	/* Passes flush before they write, and once more before they free. */
	sys_sys_ctl(WEIR_CTL_POLICY, WEIR_TLB_TWO_PASS, 0);
	for (unsigned i = 0; i < (argc > 1 ? (unsigned)argc - 1 : NSCENES);
	     i++) {
		const struct scene *s = argc > 1 ? scene_by_name(argv[i + 1]) :
						   &scenes[i];

		if (!s) {
			eprintf("window: no scene %s\n", argv[i + 1]);
			return STATUS_USAGE;
		}
		play(s);
		failures += stage->failures;
	}
	sys_sys_ctl(WEIR_CTL_POLICY, sys.policy, 0);
	printf("window: %u checks, %u failed\n", stage->checks, failures);
	return failures ? 1 : 0;
}
