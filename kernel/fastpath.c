/*
 * fastpath.c - a message to a partner that waits for it on this CPU.
 *
 * trap.asm asks here first, interrupts still off, for ipc_call and
 * ipc_reply_recv. A ladder of checks comes first: whatever fails leads to the
 * slow path (ipc.c), and nothing has changed. Behind the commit point nothing
 * can fail. All locks are taken by trying, so their order is free.
 *
 * Who goes to sleep here leaves nothing on its kernel stack but its trapframe,
 * and `parked` as its context: ipc_resume. Who is woken here may have slept in
 * the slow path: its stack's frames hold nothing (its one reference is in
 * t->cap) and are given up. The reference that the sleeper needs is the one
 * that the partner, done with its own wait, no longer does.
 */
#include "arch/x86_64/trap.h"
#include "kernel/endpoint.h"
#include "kernel/runq.h"
#include "kernel/sched.h"

/* For trap.asm: the frame to leave by, and the run queue, whose `prev` is off
 * its CPU and whose lock is free once the old stack is left. NULL: slow. */
struct fast_exit {
	struct trapframe *tf;
	struct runq *rq;
};

struct fast_exit fastpath(struct trapframe *tf);

/* Whom `t` reaches through `ep`, if that one's wait can end right here. Holds
 * ipc_lock and rq->lock. */
static inline struct thread *find_partner(struct thread *t, bool call,
					  struct endpoint *ep,
					  struct runq *rq)
{
	struct thread *to = call ? TAILQ_FIRST(&ep->receivers) :
				   t->ipc.client;
	uint8_t waits = THREAD_WAITING;

	if (!to || (!call && !TAILQ_EMPTY(&ep->callers)))
		return NULL;
	/* It waits in a system call on this endpoint, not in a fault. */
	if (to->cap.object != ep)
		return NULL;
	/* Its last CPU is this one, so nobody is on its stack. */
	if (&runqs[to->cpu] != rq || !(to->affinity >> (rq - runqs) & 1))
		return NULL;
	if (rq_above(rq, call && t->prio > to->prio ? t->prio : to->prio))
		return NULL;
	if (!sysret_fits(thread_frame(to)))
		return NULL;
	/* Against a kill: the loser of this exchange finds it claimed, and
	 * then makes this CPU look (task_kill). */
	if (!__atomic_compare_exchange_n(&to->state, &waits, THREAD_RUNNABLE,
					 false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return NULL;
	return to;
}

static inline void pass_message(const struct trapframe *from,
				struct trapframe *to, uint64_t badge)
{
	to->rax = 0;
	to->rdi = badge;
	to->rsi = from->rsi;
	to->rdx = 0;
	to->r10 = from->r10;
	to->r8 = from->r8;
	to->r9 = from->r9;
	to->r12 = from->r12;
	to->r13 = from->r13;
}

/* `t` waits for what comes next, `to` no longer does. Holds ipc_lock. */
static inline void change_places(struct thread *t, struct thread *to,
				 bool call, struct endpoint *ep)
{
	if (call) {
		TAILQ_REMOVE(&ep->receivers, to, ipc.link);
		to->ipc.client = t;
		t->ipc.server = to;
		t->ipc.state = IPC_AWAIT_REPLY;
		if (to->prio < t->prio)
			to->prio = t->prio;
	} else {
		t->ipc.client = NULL;
		to->ipc.server = NULL;
		TAILQ_INSERT_TAIL(&ep->receivers, t, ipc.link);
		t->ipc.ep = ep;
		t->ipc.state = IPC_RECEIVING;
		t->prio = t->base_prio;
	}
	to->ipc.state = IPC_NONE;
	t->ipc.done = false;
}

/* The reference of `to` becomes that of `t`, whose handle is `cap`. Nobody
 * calls while one receives, so nobody is to be told when that was the last
 * one. Holds ipc_lock. */
static inline void pass_reference(struct thread *t, struct thread *to,
				  const struct cap *cap, struct endpoint *ep)
{
	int more = (cap->rights & WEIR_R_READ) -
		   (to->cap.rights & WEIR_R_READ);

	if (more)
		__atomic_add_fetch(&ep->nreceivers, more, __ATOMIC_ACQ_REL);
	t->cap = *cap;
	to->cap = (struct cap){ .type = OBJ_NONE };
}

/* `t` sleeps, unless it was killed: then nobody else would wake it. Holds
 * rq->lock. */
static inline void park(struct thread *t, struct runq *rq)
{
	t->sp = &t->parked;
	__atomic_store_n(&t->state, THREAD_WAITING, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&t->task->killed, __ATOMIC_SEQ_CST) &&
	    sched_claim(t, true)) {
		__atomic_store_n(&t->state, THREAD_RUNNABLE, __ATOMIC_SEQ_CST);
		rq_insert(rq, t);
		rq->need = true;
	}
}

static inline __attribute__((always_inline)) struct fast_exit
pass(struct trapframe *tf, bool call)
{
	struct cpu *cpu = this_cpu();
	struct runq *rq = &runqs[cpu->id];
	struct thread *t = cpu->current, *to = NULL;
	struct handle_table *handles = &t->task->handles;
	struct handle_slot *slot;
	struct endpoint *ep;

	if (tf->rdx || rq->need)
		return (struct fast_exit){ NULL, NULL };
	if (!spin_try_quick(&handles->lock, cpu->id + 1))
		return (struct fast_exit){ NULL, NULL };
	slot = handle_find(handles, tf->rdi);
	if (!slot || slot->moving || slot->cap.type != OBJ_ENDPOINT ||
	    !(slot->cap.rights & (call ? WEIR_R_WRITE : WEIR_R_READ)))
		goto no_handle;
	ep = slot->cap.object;
	if (!spin_try_quick(&ipc_lock, cpu->id + 1))
		goto no_handle;
	if (!spin_try_quick(&rq->lock, cpu->id + 1))
		goto no_rq;
	to = find_partner(t, call, ep, rq);
	if (!to)
		goto no_partner;

	/* ---- the commit point ---- */
	pass_message(tf, thread_frame(to), call ? slot->cap.badge : 0);
	change_places(t, to, call, ep);
	pass_reference(t, to, &slot->cap, ep);
	park(t, rq);
	spin_drop_quick(&ipc_lock);
	spin_drop_quick(&handles->lock);
	rq->prio = to->prio;
	load_thread(rq, cpu, t, to);
	stat_add(WEIR_C_syscalls, 1);
	stat_add(WEIR_C_ipc_fast, 1);
	if (call)
		stat_add(WEIR_C_ipc_call, 1);
	return (struct fast_exit){ thread_frame(to), rq };

no_partner:
	spin_drop_quick(&rq->lock);
no_rq:
	spin_drop_quick(&ipc_lock);
no_handle:
	spin_drop_quick(&handles->lock);
	return (struct fast_exit){ NULL, NULL };
}

struct fast_exit fastpath(struct trapframe *tf)
{
	return tf->rax == WEIR_SYS_ipc_call ? pass(tf, true) : pass(tf, false);
}
