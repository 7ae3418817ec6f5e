/*
 * endpoint.h - endpoints from inside, for ipc.c and fastpath.c alone.
 */
#ifndef KERNEL_ENDPOINT_H
#define KERNEL_ENDPOINT_H

#include "kernel/thread.h"

struct endpoint {
	struct object object;

	/* Under ipc_lock; one of the two queues is empty. */
	uint64_t nreceivers; /* references that may receive; atomic */
	TAILQ_HEAD(ipc_queue, thread) callers, receivers;
};

/* Guards every endpoint and every thread's `ipc`. */
extern struct spinlock ipc_lock;

#endif
