/*
 * ipc.h - endpoints: synchronous calls, receiving, one-shot replies.
 */
#pragma once

#include "kernel/thread.h"

struct endpoint {
	struct object object;

	/* Under ipc_lock; one of the two queues is empty. */
	uint64_t nreceivers; /* references that may receive; atomic */
	TAILQ_HEAD(ipc_queue, thread) callers, receivers;
};

/* Guards every endpoint and every thread's `ipc`. */
extern struct spinlock ipc_lock;

/* A new endpoint with one reference that may receive; NULL: no memory. */
struct endpoint *endpoint_create(void);
/* A reference with the right to receive comes or goes. With the last of those
 * gone, waiting and later callers get -WEIR_EPEER. Any context. */
void endpoint_add_receiver(struct endpoint *ep);
void endpoint_drop_receiver(struct endpoint *ep);

/* The priority of `t`, below which it never runs: while a client waits for
 * its reply, `t` runs at the client's if that is higher, and so does whoever
 * `t` itself calls meanwhile. */
void ipc_set_prio(struct thread *t, unsigned prio);

/* The current thread exits: who waits for its reply is told. */
void ipc_exit_thread(struct thread *t);

/* Each is done by the current thread, sleeps, and returns 0 or an error;
 * *msg is the message sent, and then the one received. -WEIR_EPEER: the
 * other side died, or this task was killed. -WEIR_EHANDLE, -WEIR_ERIGHTS,
 * -WEIR_EFULL: the moved handle; it stays with the sender. */
int ipc_call(const struct cap *ep, struct weir_msg *msg);
int ipc_recv(const struct cap *ep, struct weir_msg *msg);
int ipc_reply(const struct weir_msg *msg);
/* Without a client that waits, only receives. */
int ipc_reply_recv(const struct cap *ep, struct weir_msg *msg);

/* The end of a wait of one of these calls that left nothing on the stack:
 * see fastpath.c. */
int ipc_wait(const struct cap *ep, struct weir_msg *msg);
/* The first function of the thread `t` after such a wait (syscall.c). */
void ipc_resume(void *t);

/* A message from the kernel that wants no reply. Returns when it was
 * received, or nobody can any more; a kill does not end it. */
void ipc_send(const struct cap *ep, struct weir_msg *msg);
