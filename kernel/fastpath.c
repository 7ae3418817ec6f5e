/*
 * fastpath.c - a message to a partner that waits for it on this CPU.
 *
 * trap.asm asks here first, interrupts still off. A ladder of checks: what
 * fails leads to the slow path (ipc.c), with nothing changed; locks are only
 * tried, so their order is free. Behind the commit point nothing can fail.
 * Who goes to sleep here leaves only its trapframe on its stack, and as its
 * context `fresh`: ipc_resume. Who is woken here may have slept in the slow
 * path: its frames hold nothing (its one reference is in t->cap), and are
 * given up. What other CPUs ask meanwhile is an interrupt after SYSRET.
 */
#include "kernel/ipc.h"
#include "kernel/runq.h"

/* trap.asm: leaves the stack of `left`, which is then off its CPU, gives back
 * this CPU's run queue, and enters user mode by frame `to`, with `badge` and
 * the message that `from` has. */
_Noreturn void fast_leave(uint64_t badge, const struct trapframe *from,
			  struct trapframe *to, struct thread *left);

/* `t` calls the server `to`, or replies to its client `to` and receives; its
 * handle on `ep` has `rights`. Holds ipc_lock and the run queue's lock. */
static inline void change_places(struct thread *t, struct thread *to,
				 bool call, unsigned rights,
				 struct endpoint *ep)
{
	if (call) {
		TAILQ_REMOVE(&ep->receivers, to, ipc.link);
		to->ipc.client = t;
		t->ipc.server = to;
		t->ipc.state = IPC_AWAIT_REPLY;
		if (to->prio < t->prio)
			to->prio = t->prio;
	} else {
		TAILQ_INSERT_TAIL(&ep->receivers, t, ipc.link);
		t->ipc.client = NULL;
		to->ipc.server = NULL;
		t->ipc.state = IPC_RECEIVING;
		t->ipc.ep = ep;
		t->prio = t->base_prio;
	}
	to->ipc.state = IPC_NONE;
	/* The reference that `to` held while it waited is now that of `t`.
	 * The server's one receives; does the client's? Nobody calls while
	 * one receives, so nobody is to be told that it was the last. */
	if (!((call ? rights : to->cap.rights) & WEIR_R_READ))
		__atomic_add_fetch(&ep->nreceivers, call ? -1 : 1,
				   __ATOMIC_ACQ_REL);
	to->cap.object = NULL;
	t->cap.type = WEIR_OBJ_ENDPOINT;
	t->cap.rights = rights;
	t->cap.object = ep;
}

/* May `to`, which waits, run here now? Then nobody else wakes it any more. */
static inline bool claim(struct thread *to, bool call, struct endpoint *ep,
			 struct runq *rq, unsigned id)
{
	/* LAB ipc begin: a reply needs that nobody else calls, that the
	 * client called through `ep`, and that nobody is more urgent; all
	 * need that `to` belongs to this CPU and fits SYSRET; the last step,
	 * an exchange, settles it with task_kill */
	/* A reply: nobody else calls; the client did so through `ep` (not by
	 * a fault, which goes on in the kernel); nobody is more urgent. As to
	 * a call, nobody is more so than us, or `need` would be set. */
	if (!call && (!TAILQ_EMPTY(&ep->callers) || to->cap.object != ep ||
		      rq_above(rq, to->prio)))
		return false;
	/* It belongs to this CPU, so its stack is free, and it may run here.
	 * Last, a kill: who loses the exchange finds it claimed (task_kill). */
	return to->cpu == id && sysret_fits(thread_frame(to)) &&
	       thread_exchange(to, THREAD_WAITING, THREAD_RUNNABLE);
	/* LAB ipc stub
	 * return false;
	 */
	/* LAB ipc end */
}

static inline void pass(struct trapframe *tf, bool call)
{
	/* LAB ipc begin: the ladder: handle, rights, locks that are only
	 * tried, partner; what fails undoes what came before and returns;
	 * behind the commit point nothing fails */
	struct cpu *cpu = this_cpu();
	struct runq *rq = cpu->rq;
	struct thread *t = cpu->current, *to;
	struct task *task = t->task;
	const unsigned id = cpu->id;

	/* No handle moves, and nothing else is due on this CPU. */
	if (tf->rdx || rq->need ||
	    !spin_try_quick(&task->handles.lock, id + 1))
		return;
	struct handle_slot *slot = handle_find(&task->handles, tf->rdi);
	if (!slot || slot->cap.type != WEIR_OBJ_ENDPOINT)
		goto no_handle;
	struct endpoint *ep = slot->cap.object;
	unsigned rights = slot->cap.rights;
	uint64_t badge = call ? slot->cap.badge : 0;
	if (!(rights & (call ? WEIR_R_WRITE : WEIR_R_READ)) ||
	    !spin_try_quick(&ipc_lock, id + 1))
		goto no_handle;
	if (!spin_try_quick(&rq->lock, id + 1))
		goto no_rq;
	to = call ? TAILQ_FIRST(&ep->receivers) : t->ipc.client;
	if (!to || t->held || !claim(to, call, ep, rq, id))
		goto no_partner;

	/* ---- the commit point ---- */
	change_places(t, to, call, rights, ep);
	t->sp = &t->fresh;
	__atomic_store_n(&t->state, THREAD_WAITING, __ATOMIC_SEQ_CST);
	spin_drop_quick(&ipc_lock);
	spin_drop_quick(&task->handles.lock);
	rq->prio = to->prio;
	stat_sets[id].n[WEIR_C_ipc_fast]++; /* a call and a switch: stat.c */
	stat_sets[id].n[WEIR_C_ipc_call] += call;
	load_thread(cpu, id, t, to, true);
	fast_leave(badge, tf, thread_frame(to), t);

no_partner:
	spin_drop_quick(&rq->lock);
no_rq:
	spin_drop_quick(&ipc_lock);
no_handle:
	spin_drop_quick(&task->handles.lock);
	/* LAB ipc stub
	 * (void)change_places;
	 * (void)claim;
	 */
	/* LAB ipc end */
}

/* For trap.asm; they return only where the slow path has to do it. */
__attribute__((flatten)) void fast_call(struct trapframe *tf)
{
	pass(tf, true);
}

__attribute__((flatten)) void fast_reply_recv(struct trapframe *tf)
{
	pass(tf, false);
}
