/*
 * window.h - what the scenes of window.c share: checks, and hands.
 *
 * A hand is a thread on a CPU of its own that does one thing after the other,
 * while the scene goes on. Between two things it spins in user mode, so its
 * CPU keeps what its TLB has.
 */
#pragma once

#include "user/lib/weir_user.h"

#define PAGE WEIR_PAGE_SIZE
#define READ_WRITE (WEIR_P_READ | WEIR_P_WRITE)

/* Counts; prints what is not so. The scene goes on. */
void check(bool good, const char *what, const char *file, int line);
#define CHECK(x) check(x, #x, __FILE_NAME__, __LINE__)

struct hand {
	handle_t thread;
	long (*job)(void *); /* atomic; NULL: done */
	void *arg;
	long result;
};

/* Where they are; the scene itself is on CPU 0. */
enum { CPU_FIRST = 1, CPU_SECOND, CPU_THIRD, CPUS };

void hand_start(struct hand *h, int cpu);
void hand_do(struct hand *h, long (*job)(void *), void *arg);
bool hand_done(struct hand *h);
/* It sleeps in the kernel, or is dead. */
bool hand_waits(struct hand *h);
/* Waits until it is done: what the job returned. */
long hand_result(struct hand *h);
long hand_call(struct hand *h, long (*job)(void *), void *arg);

/* --- the scenes ----------------------------------------------------------- */
void scene_reference(void);
void scene_wake(void);
void scene_enter(void);
void scene_address(void);
void scene_generation(void);
void scene_client(void);
void scene_handle(void);
void scene_slot(void);
