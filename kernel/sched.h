/*
 * sched.h - what the files of kernel/ share about scheduling.
 */
#pragma once

#include "kernel/stat.h"
#include "kernel/task.h"

/* Run queues, and the boot CPU's idle thread, which is from now on the one
 * that runs. Before any other CPU starts. */
void sched_init(void);

/* What an idle thread does. */
_Noreturn void sched_idle(void);

/* Lets the best thread run; a dead one comes back never, and its successor
 * drops its reference. No spinlock held; interrupts as they were. */
void schedule(void);

/* Shall this CPU schedule before it returns to user mode? */
bool sched_needed(void);

/* Ends the sleep of `t`: false if it does not sleep, or somebody else is just
 * ending it. `kill`: only of sleeps that a kill may end. `here`: it runs rather
 * on this CPU, whose thread is about to sleep. Any context; wq and task locks
 * may be held. */
bool sched_wake(struct thread *t, bool kill, bool here);

/* Makes a new thread run, or one that has left its CPU; as sched_wake. */
void sched_enqueue(struct thread *t, bool here);

/* Makes `cpu` schedule soon. Any context, any lock. */
void sched_kick(unsigned cpu);

/* The current thread goes to sleep; once no wake-up can be missed the lock is
 * given up. `killable`: a kill wakes it; false: it had come before, so that it
 * did not sleep. */
bool sched_sleep(bool killable, struct spinlock *release);

/* The first thing on a thread's stack after a switch to it: lets go of who ran
 * before. `irqs_on`: interrupts are on from now on. */
void sched_arrive(bool irqs_on);

/* `prio` counts from now on; for ipc.c, which knows what else counts. Holds
 * ipc_lock. */
void sched_set_prio(struct thread *t, unsigned prio);
/* `mask` names at least one CPU that exists. */
void sched_set_affinity(struct thread *t, uint64_t mask);

/* The CPUs that exist. */
static inline uint64_t sched_cpus(void)
{
	return ~0ull >> (64 - cpu_count());
}

/* No CPU but this one has anything to run, nor has this one after us. */
bool sched_all_idle(void);

/* sync.c: wakes the sleepers of this CPU whose deadline has passed. Interrupts
 * off. */
void sleepq_expire(void);
