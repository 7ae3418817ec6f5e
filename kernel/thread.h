/*
 * thread.h - threads: what runs, where, and how urgently.
 *
 * A thread is on a CPU, on one run queue, or asleep; `state` says which and
 * is changed by compare-exchange when it wakes. Its owner references are
 * the handles on it and one while it can still run.
 */
#pragma once

#include "arch/x86_64/context.h"
#include "arch/x86_64/trap.h"
#include "kernel/handle.h"
#include "kernel/sync.h"
#include "mm/readahead.h"
#include "mm/tlb.h"

#define PRIORITIES 32
#define PRIO_DEFAULT 15
#define PRIO_KERNEL 24

enum thread_state {
	THREAD_RUNNABLE, /* on a run queue, or current on a CPU */
	THREAD_SLEEPING, /* until woken */
	THREAD_WAITING,  /* as SLEEPING, but a kill wakes it too */
	THREAD_WAKING,   /* claimed by its waker, not on a queue yet */
	THREAD_DEAD,     /* never runs again */
};

/* What a thread is doing in IPC; see ipc.c. */
enum ipc_state { IPC_NONE, IPC_CALLING, IPC_AWAIT_REPLY, IPC_RECEIVING };

struct ipc {
	/* Under ipc_lock. */
	enum ipc_state state;
	struct endpoint *ep;   /* that it calls or receives from */
	struct thread *client; /* that waits for this thread's Reply */
	struct thread *server; /* that holds the Reply to this thread */
	TAILQ_ENTRY(thread) link; /* ep->callers or ep->receivers */
	bool oneway;           /* the caller wants no reply */
	int status;            /* of the last wait, once `state` is NONE */
	/* In: what it sends, its handle marked as moving; out: what it got. */
	struct weir_msg msg;
	struct cap cap;        /* what the moving handle names */
};

struct thread {
	struct object object; /* handles, and one while it can still run */
	uint8_t fpu[512] __attribute__((aligned(16)));
	uint8_t on_cpu; /* atomic: its stack is in use; trap.asm knows it */

	/* Constant after creation. */
	uint32_t id;
	struct task *task; /* NULL: a kernel thread */
	void *stack_top;
	struct context fresh; /* goes on with an empty stack: at its start, or
			       * after an IPC wait (fastpath.c) */

	uint8_t state;   /* atomic; enum thread_state */
	bool held;       /* stays off the fast path; set under ipc_lock */
	bool suspended;  /* atomic; set under ipc_lock */

	/* Under the run queue's lock of `cpu`. */
	void *sp;
	unsigned cpu;    /* where it runs, or ran last, and may run */
	uint8_t prio;    /* what counts; changed under ipc_lock, too */
	uint64_t affinity;
	bool queued;
	TAILQ_ENTRY(thread) run_link;

	/* Only the thread itself, or the switch to and from it. */
	struct aspace *as; /* whose user half it needs; NULL: none */
	uint64_t fs_base;
	uint64_t run_start;     /* TSC */
	/* What its system call has looked up, referenced: its first handle,
	 * for the fast path without an object, and another one. */
	struct cap cap, other;
	struct tlb_batch batch; /* what it owes: see mm/tlb.h */
	struct readahead ahead; /* what it reads in order */
	struct task *dying; /* that it takes apart, and the next ones */

	/* Under the wait queue's lock. */
	bool on_wq;
	TAILQ_ENTRY(thread) wait_link;

	/* Under the sleep queue's lock of sleep_cpu. */
	uint64_t wake_ns;
	bool on_sleepq;
	unsigned sleep_cpu;
	TAILQ_ENTRY(thread) sleep_link;

	uint8_t base_prio; /* its own; under ipc_lock */
	struct ipc ipc;
	LIST_ENTRY(thread) task_link; /* task->threads, under task->lock */
};

_Static_assert(offsetof(struct thread, on_cpu) == 528, "trap.asm");

/* A user thread of `task` that starts at `ip` with stack `sp` and `arg` in
 * RDI; *out holds a reference for the caller. Sleeps. 0, -WEIR_ENOMEM,
 * -WEIR_EFULL, -WEIR_EPEER (the task is dying). */
int thread_create_user(struct task *task, uint64_t ip, uint64_t sp,
		       uint64_t arg, struct thread **out);

/* Where traps and system calls of a user thread keep its registers. */
static inline struct trapframe *thread_frame(const struct thread *t)
{
	return (struct trapframe *)t->stack_top - 1;
}

/* Exchanges the state of `t`; false: it was not `was`. */
static inline bool thread_exchange(struct thread *t, uint8_t was, uint8_t next)
{
	return compare_exchange(&t->state, &was, next);
}

/* Ends the calling thread. Interrupts on, no lock held. */
void thread_exit(void) __attribute__((noreturn));

/* Keeps a thread out of user mode, from the moment on that it would return
 * there, which may be now, on another CPU; or, `on` false, no longer. */
void thread_suspend(struct thread *t, bool on);
/* The current thread waits until it is not suspended, or its task is killed. */
void thread_pause(void);

/* The task of the current thread was killed. */
bool thread_killed(void);

/* The current thread goes on with the user half of `as`; NULL: with none. */
void thread_use_space(struct aspace *as);

static inline struct thread *current(void)
{
	return this_cpu()->current;
}
