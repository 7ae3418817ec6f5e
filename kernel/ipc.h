/*
 * ipc.h - endpoints: synchronous calls, receiving, one-shot replies.
 */
#pragma once

#include "kernel/sched.h"

struct endpoint {
	struct object object;

	/* Under ipc_lock; one of the two queues is empty. */
	uint64_t nreceivers; /* references that may receive; atomic */
	TAILQ_HEAD(ipc_queue, thread) callers, receivers;
};

/* Guards every endpoint and every thread's `ipc`. */
extern struct spinlock ipc_lock;

/* A reference with the right to receive goes. With the last of those gone,
 * waiting and later callers get -WEIR_EPEER. Any context. */
void endpoint_drop_receiver(struct endpoint *ep);

/* The priority of `t`, below which it never runs: while a client waits for
 * its reply, `t` runs at the client's if that is higher, and so does whoever
 * `t` itself calls meanwhile. */
void ipc_set_prio(struct thread *t, unsigned prio);

/* The current thread exits: who waits for its reply is told. */
void ipc_exit_thread(struct thread *t);

/* A call made by the current thread in the kernel, which moves no handle:
 * sleeps until the reply, which replaces *msg. `oneway`: no reply is wanted, so
 * only until it was received, or nobody can any more; a kill does not end that.
 * 0, or an error of the system call. */
int ipc_call(const struct cap *ep, struct weir_msg *msg, bool oneway);

/* The first function of the thread `t`, and after a wait that left nothing on
 * the stack: see fastpath.c. */
void ipc_resume(void *t);
