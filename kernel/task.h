/*
 * task.h - tasks: an address space, a handle table, threads.
 *
 * A task is alive until its last thread has left or it is killed with none;
 * then it is torn down once, and only the structure stays for its handles.
 * Its end is the end of the tasks that it created, and told after theirs.
 */
#pragma once

#include "kernel/thread.h"

#define TASK_THREADS_MAX 256u

/* Bits of `killed`. */
enum { TASK_KILLED = 1, TASK_HELD = 2, TASK_TORN_DOWN = 4 };

struct task {
	struct object object; /* handles, threads */

	/* Constant after creation. */
	uint32_t id;
	struct task *parent; /* outlives it; NULL: it is init */
	bool privileged;
	char name[32];
	struct aspace *as;
	struct account *account; /* what it uses; NULL: no limits */
	struct cap fault; /* its fault endpoint, or WEIR_OBJ_NONE */

	uint64_t cpu_tsc; /* atomic: TSC ticks that its threads ran */
	uint8_t killed;  /* atomic; TASK_..., never cleared; set under lock */
	uint64_t fuse;   /* atomic; a test's (WEIR_TEST_FUSE) */
	struct handle_table handles;

	struct spinlock lock; /* guards the group */
	LIST_HEAD(, thread) threads;
	unsigned nthreads;
	int64_t status; /* of its exit */

	struct task *next_dying; /* only who takes it apart */
	LIST_ENTRY(task) all_link; /* under tasks_lock, as the next */
	unsigned nchildren;
};

/* A task without threads; one reference, whose end may sleep. It gets
 * references of its own to `fault` and `account`. NULL: out of memory. Sleeps.
 * The end of the one without a parent is the end of the machine. */
struct task *task_create(struct task *parent, struct cap fault,
			 const char *name, bool privileged,
			 struct account *account);

/* init.c: makes the task `init` from the boot modules `init` and `initrd` and
 * starts its thread. Panics, naming it, when something is missing or damaged.
 * From a kernel thread; sleeps. */
void init_start(void);

/* `t` becomes a thread of the task, which it holds from now on. 0,
 * -WEIR_EPEER (killed), -WEIR_EFULL. */
int task_enter(struct task *task, struct thread *t);
/* The current thread leaves its task; the last one tears it down. Sleeps. */
void task_leave(struct thread *t);

/* Its threads, and those that it will have, stay off the fast path. */
void task_hold(struct task *task);

/* Makes every thread of the task exit as soon as it would return to user
 * mode, or sleeps. Does not wait for that. The first status counts. */
void task_kill(struct task *task, int64_t status);

/* All tasks that have anything, for the audit; under tasks_lock. */
LIST_HEAD(task_list, task);
extern struct task_list tasks;

/* audit.c, with check=audit: stops the world and has counts compared with what
 * is there; mm/README.md says which. Panics where they do not agree. The
 * number of audits, -WEIR_EBUSY (something was under way, so that of counts of
 * references only bounds were compared), or -WEIR_EINVAL (no check=audit).
 * Thread context, no spinlock held. */
int64_t audit(void);

/* Fills *out for the index-th living task; false: there are not so many. */
bool task_info(uint64_t index, struct weir_task *out);
