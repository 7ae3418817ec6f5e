/*
 * ntfn.c - notifications: 64 bits that are signalled and waited for.
 *
 * The bits stay set until somebody waits for them, so no signal is lost; two
 * signals of one bit are one. Lock order: ntfn.lock -> a wait queue's.
 */
#include "kernel/syscall.h"
#include "mm/kmalloc.h"

struct ntfn {
	struct object object;
	struct spinlock lock;
	uint64_t bits; /* under lock */
	struct waitq waiters;
};

void ntfn_signal(void *ntfn, uint64_t bits)
{
	struct ntfn *n = ntfn;

	spin_lock(&n->lock);
	n->bits |= bits;
	waitq_wake(&n->waiters, PLANTED(W2) ? 1 : UINT32_MAX);
	spin_unlock(&n->lock);
}

int64_t sys_ntfn_create(struct trapframe *tf, const struct cap *none)
{
	struct ntfn *n = kzalloc(sizeof(*n));

	if (n)
		*n = (struct ntfn){ .object = { 1, kfree },
				    .lock = SPINLOCK_INIT(ntfn),
				    .waiters = WAITQ_INIT(n->waiters) };
	return give_handle(WEIR_OBJ_NTFN, n, WEIR_R_ALL);
}

int64_t sys_ntfn_signal(struct trapframe *tf, const struct cap *ntfn)
{
	ntfn_signal(ntfn->object, ARG1(tf));
	return 0;
}

int64_t sys_ntfn_wait(struct trapframe *tf, const struct cap *ntfn)
{
	struct ntfn *n = ntfn->object;
	uint64_t mask = ARG1(tf), deadline_ns = ARG2(tf), bits;

	for (;;) {
		spin_lock(&n->lock);
		bits = n->bits & mask;
		n->bits &= ~mask;
		if (bits || (deadline_ns && time_ns() >= deadline_ns))
			break;
		if (!waitq_wait(&n->waiters, &n->lock, deadline_ns))
			return -WEIR_EPEER;
	}
	spin_unlock(&n->lock);
	tf->rdx = bits;
	return bits ? 0 : -WEIR_ETIMEOUT;
}
