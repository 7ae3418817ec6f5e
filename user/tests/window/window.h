/*
 * window.h - what the scenes of window.c share: checks, hands, pages, points.
 *
 * A hand is a thread on a CPU of its own that does one thing after the other,
 * while the scene goes on; the scene itself is a hand, too. Between two things
 * a hand spins in user mode, so its CPU keeps what its TLB has. All that the
 * program is made of is pinned, but its start-up page: reclaim takes the pages
 * of the scene. While a scene holds reads up nobody may look at `startup`, as
 * `store` and `unmap` do: it might be the page that is held.
 */
#pragma once

#include "kernel/abi/test.h"
#include "user/lib/weir_user.h"

#define PAGE WEIR_PAGE_SIZE
#define READ_WRITE (WEIR_P_READ | WEIR_P_WRITE)

/* Counts; what is not so is printed when the scene is over. */
void check(bool good, const char *what, const char *file, int line);
#define CHECK(x) check(x, #x, __FILE_NAME__, __LINE__)

/* --- hands ---------------------------------------------------------------- */
/* The scene's CPU, those of its hands, and two for the kernel's threads. */
enum { CPU_SCENE, CPU_FIRST, CPU_SECOND, CPU_THIRD, CPUS = 6 };

typedef long job_fn(void *arg);
struct hand {
	handle_t thread;
	int cpu;
	job_fn *job; /* atomic; NULL: done */
	void *arg;
	long result;
};

/* New ones for each scene. */
struct hand *hand_start(int cpu);
void hand_do(struct hand *h, job_fn *job, void *arg);
bool hand_done(struct hand *h);
/* It sleeps in the kernel, or is dead. */
bool hand_waits(struct hand *h);
/* Waits until it is done, or sleeps; true: done. */
bool hand_ends(struct hand *h);
/* Waits until it is done: what the job returned. */
long hand_result(struct hand *h);
long hand_call(struct hand *h, job_fn *job, void *arg);

/* --- points --------------------------------------------------------------- */
void hold(enum weir_point p, const struct hand *h); /* NULL: any CPU */
bool held(enum weir_point p);
void await_held(enum weir_point p);
void release(enum weir_point p);

/* --- pages ---------------------------------------------------------------- */
/* An object of ours, and where it is mapped. */
struct pages {
	handle_t mem;
	volatile uint64_t *va;
	uint64_t n;
};

struct pages pages_new(uint64_t n);
struct pages pages_of(long mem, uint64_t n);
void pages_drop(struct pages *p);
volatile uint64_t *pages_at(const struct pages *p, uint64_t i);
bool present(volatile void *va); /* in the page table */

/* Jobs. `store` is made by the kernel: 0, or -WEIR_EFAULT where nothing may be
 * stored; `poke` and `load` are the hand's own, and fault. */
job_fn store, load, reclaim; /* reclaim: until so many frames are free */
job_fn unmap;                /* of a struct pages; the object stays */
job_fn poke1, poke2, poke3;

/* Has `touch` done by `toucher`, and a pass of `h` unmap that page and stand
 * before its flush, which is then the first since the touch: the toucher's
 * TLB has the page. It stands there until release(WEIR_POINT_flush), and goes
 * on to its end until hand_result(h). */
void hold_pass(struct hand *h, struct hand *toucher, job_fn *touch,
	       volatile void *va);
void end_pass(struct hand *h);

/* Has all memory reclaimed that can be. */
void reclaim_all(void);
/* A system task may pin, and have wired memory. */
void be_system(bool on);

/* --- the scenes ----------------------------------------------------------- */
#define SCENES(X)                                                           \
	X(reference) X(wake) X(enter) X(address) X(generation) X(client)    \
	X(handle) X(slot)                                                   \
	X(protect) X(wired) X(owed) X(recheck) X(debt) X(retired) X(lazy)   \
	X(dying) X(handler) X(clone) X(cloning) X(clone_owed) X(copy_owed)  \
	X(only) X(cr3) X(loaded)                                            \
	X(saved) X(freed) X(policy) X(pin) X(inbound) X(io) X(torn)         \
	X(read) X(free) X(paged) X(waits)
#define SCENE(name) void scene_##name(void);
SCENES(SCENE)
