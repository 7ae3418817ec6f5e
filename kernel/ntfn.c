/*
 * ntfn.c - notifications.
 *
 * The bits stay set until somebody waits for them, so no signal is lost; two
 * signals of one bit are one. Lock order: ntfn.lock -> a wait queue's.
 */
#include "kernel/ntfn.h"

#include "arch/x86_64/time.h"
#include "kernel/handle.h"
#include "kernel/sync.h"
#include "mm/kmalloc.h"

struct ntfn {
	struct object object;
	struct spinlock lock;
	uint64_t bits; /* under lock */
	struct waitq waiters;
};

struct ntfn *ntfn_create(void)
{
	struct ntfn *n = kzalloc(sizeof(*n));

	if (!n)
		return NULL;
	n->object = (struct object){ 1, kfree };
	spin_init(&n->lock, "ntfn");
	waitq_init(&n->waiters);
	return n;
}

void ntfn_signal(struct ntfn *n, uint64_t bits)
{
	spin_lock(&n->lock);
	n->bits |= bits;
	waitq_wake_all(&n->waiters);
	spin_unlock(&n->lock);
}

int ntfn_wait(struct ntfn *n, uint64_t mask, uint64_t deadline_ns,
	      uint64_t *bits)
{
	for (;;) {
		spin_lock(&n->lock);
		*bits = n->bits & mask;
		n->bits &= ~mask;
		if (*bits || (deadline_ns && time_ns() >= deadline_ns)) {
			spin_unlock(&n->lock);
			return *bits ? 0 : -WEIR_ETIMEOUT;
		}
		if (!waitq_wait(&n->waiters, &n->lock, deadline_ns))
			return -WEIR_EPEER;
	}
}
