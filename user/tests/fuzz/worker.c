/*
 * worker.c - a task that makes any call, and may die of it.
 *
 * Its threads share a pool of handles and memory of every sort. What would
 * have to be looked after is not: whatever goes wrong costs this task alone,
 * and the supervisor starts another one. Nothing of libc is used once the
 * threads run: they change even their FS base.
 */
#include <string.h>

#include "user/tests/fuzz/fuzz.h"

#define THREADS 3u
#define FLIP_NS 200000ull

struct shared *shared;
static uint64_t worker_id, worker_seed;
static handle_t flip_mem, late_pager;

/* Every register that a call may change is named. */
static long raw_call(struct args *a)
{
	register uint64_t r10 __asm__("r10") = a->v[3];
	register uint64_t r8 __asm__("r8") = a->v[4];
	register uint64_t r9 __asm__("r9") = a->v[5];
	register uint64_t r12 __asm__("r12") = a->v[6];
	register uint64_t r13 __asm__("r13") = a->v[7];
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret), "+D"(a->v[0]), "+S"(a->v[1]),
			   "+d"(a->v[2]), "+r"(r10), "+r"(r8), "+r"(r9),
			   "+r"(r12), "+r"(r13)
			 : "0"(a->nr)
			 : "rcx", "r11", "memory");
	return ret;
}

void count_call(uint64_t nr, long result, bool returned)
{
	unsigned i = nr < WEIR_NSYSCALLS ? (unsigned)nr : WEIR_NSYSCALLS;

	if (!returned)
		__atomic_add_fetch(&shared->made[i], 1, __ATOMIC_RELAXED);
	else if (result >= 0)
		__atomic_add_fetch(&shared->good[i], 1, __ATOMIC_RELAXED);
}

/* What a call gave: handles come into the pool. */
static void take(uint64_t *rng, const struct args *a, long result)
{
	switch (a->nr) {
	case WEIR_SYS_ep_create:
		return keep(rng, K_EP, (handle_t)result);
	case WEIR_SYS_ntfn_create:
		return keep(rng, K_NTFN, (handle_t)result);
	case WEIR_SYS_task_create:
		return keep(rng, K_TASK, (handle_t)result);
	case WEIR_SYS_thread_create:
		return keep(rng, K_THREAD, (handle_t)result);
	case WEIR_SYS_mem_map:
		if (a->v[0] == startup->self)
			places.mapped = (char *)result;
		return;
	case WEIR_SYS_mem_create:
	case WEIR_SYS_mem_clone:
		return keep(rng, K_MEM, (handle_t)result);
	case WEIR_SYS_pager_create:
		keep(rng, K_MEM, (handle_t)a->v[2]);
		return keep(rng, K_PAGER, (handle_t)result);
	case WEIR_SYS_pager_next:
		taken.pager = (handle_t)a->v[0];
		taken.request = (const struct weir_pager_request *)a->v[1];
		return;
	case WEIR_SYS_ipc_call:
	case WEIR_SYS_ipc_recv:
	case WEIR_SYS_ipc_reply_recv:
		if (!a->v[2])
			return;
		return keep(rng, next_random(rng) >> 32 & 1 ? K_NTFN : K_MEM,
			    (handle_t)a->v[2]);
	case WEIR_SYS_handle_dup:
		return keep(rng, next_random(rng) >> 40 & 1 ? K_EP : K_NTFN,
			    (handle_t)result);
	}
}

static void make_calls(uint64_t rng)
{
	bool owes = false;
	struct args a;
	long result;

	while (__atomic_sub_fetch(&shared->left, 1, __ATOMIC_RELAXED) >= 0) {
		draw_call(&rng, owes, &a);
		count_call(a.nr, 0, false);
		result = raw_call(&a);
		count_call(a.nr, result, true);
		__atomic_add_fetch(&shared->progress[worker_id], 1,
				   __ATOMIC_RELAXED);
		if (a.nr == WEIR_SYS_ipc_recv ||
		    a.nr == WEIR_SYS_ipc_reply_recv)
			owes = result == 0;
		if (a.nr == WEIR_SYS_ipc_reply)
			owes = false;
		if (result >= 0)
			take(&rng, &a, result);
	}
	sys_task_kill(startup->self, 0);
}

static void fuzz_thread(void *arg)
{
	uint64_t id = (worker_id * THREADS + (uintptr_t)arg + 1) *
		      0x9e3779b97f4a7c15ull;

	make_calls((worker_seed ^ id) | 1);
}

/* Takes a page away and puts it back, wakes who waits, answers a request of
 * the late pager now and then. */
static void flip(uint64_t round)
{
	struct weir_pager_request r;

	sys_mem_unmap(startup->self, (uintptr_t)places.flips, 1);
	for (unsigned i = 0; i < KEPT; i++)
		sys_ntfn_signal(pool[K_NTFN][i], ~0ull);
	sys_mem_map(startup->self, flip_mem, 0, (uintptr_t)places.flips, 1,
		    READ_WRITE);
	if (round % 32 == 0 && sys_pager_next(late_pager, &r, NULL) == 0)
		sys_pager_done(late_pager, r.cookie, NULL, round % 64 == 0);
}

static char *place(uint64_t pages, unsigned prot)
{
	char *p = pages_map(pages, NULL);

	if (!p)
		exit(STATUS_START);
	memset(p, 'a', pages * PAGE);
	sys_mem_protect(startup->self, (uintptr_t)p, pages, prot);
	return p;
}

static void make_places(void)
{
	handle_t mem;
	long h;

	places.arena = place(ARENA_PAGES, READ_WRITE);
	places.edge = place(2, READ_WRITE);
	pages_unmap(places.edge + PAGE, 1);
	places.readonly = place(1, WEIR_P_READ);
	places.code = place(1, WEIR_P_READ | WEIR_P_EXEC);
	places.flips = pages_map(1, &flip_mem);
	h = sys_pager_create(startup->extra[X_SIGNALS], 63, PAGED_PAGES,
			     5 * NS_PER_MS, &mem);
	late_pager = (handle_t)h;
	places.paged = (char *)sys_mem_map(startup->self, mem, 0, 0,
					   PAGED_PAGES, READ_WRITE);
	pool[K_MEM][0] = mem;
}

/* The first of each kind is one that somebody else has, too. */
static void make_pool(void)
{
	pool[K_TASK][0] = startup->self;
	pool[K_PAGER][0] = late_pager;
	pool[K_EP][0] = startup->extra[X_SERVED];
	pool[K_EP][1] = (handle_t)sys_handle_dup(startup->extra[X_SERVED],
						 WEIR_R_ALL, 7);
	pool[K_EP][2] = startup->extra[X_CALLED];
	pool[K_NTFN][0] = startup->extra[X_SIGNALS];
	for (unsigned i = 1; i < KEPT; i++) {
		pool[K_NTFN][i] = (handle_t)sys_ntfn_create();
		pool[K_MEM][i] = (handle_t)sys_mem_create(i, 0);
		pool[K_TASK][i] = (handle_t)sys_task_create(
			0, "link", 4, 0, NULL);
		pool[K_PAGER][i] = (handle_t)sys_handle_dup(
			late_pager, WEIR_R_ALL, 0);
	}
}

int worker_main(uint64_t seed, uint64_t id)
{
	long va = sys_mem_map(startup->self, startup->extra[X_SHARED], 0, 0, 1,
			      READ_WRITE);

	if (va < 0)
		return STATUS_START;
	shared = (struct shared *)va;
	sys_handle_close(startup->extra[X_SHARED]); /* nothing to play with */
	worker_id = id;
	worker_seed = seed;
	make_places();
	make_pool();
	for (uintptr_t i = 0; i < THREADS; i++)
		if (!uthread_start(fuzz_thread, (void *)i, -1))
			return STATUS_START;
	for (uint64_t round = 0;; round++) {
		flip(round);
		sys_ntfn_wait(startup->extra[X_SIGNALS], 1ull << 62,
			      now_ns() + FLIP_NS, NULL);
	}
}
