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

/* Return only where the slow path has to do it. */
void fast_call(struct trapframe *tf);
void fast_reply_recv(struct trapframe *tf);

/* trap.asm: leaves the stack of `left`, which is then off its CPU, gives back
 * this CPU's run queue, and enters user mode by frame `to`, with `badge` and
 * the message that `from` has. */
_Noreturn void fast_leave(uint64_t badge, const struct trapframe *from,
			  struct trapframe *to, struct thread *left);

/* Can the wait of `to` end here, on CPU `id`? Its last CPU is this one, so
 * nobody is on its stack, and it may run here (sched_set_affinity). Against a
 * kill: whoever loses the exchange finds it claimed, and makes this CPU look
 * (task_kill). Holds ipc_lock and the run queue's lock. */
static inline bool claim_here(struct thread *to, unsigned id)
{
	uint8_t waits = THREAD_WAITING;

	return to->cpu == id && sysret_fits(thread_frame(to)) &&
	       __atomic_compare_exchange_n(&to->state, &waits, THREAD_RUNNABLE,
					   false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

/* The receiver that a call reaches. It will be as urgent as the caller, and
 * nobody here is more so, or `need` would be set. */
static inline struct thread *claim_server(struct endpoint *ep, unsigned id)
{
	struct thread *to = TAILQ_FIRST(&ep->receivers);

	return to && claim_here(to, id) ? to : NULL;
}

/* The client that a reply of `t` reaches, if `t` has to wait next, and if
 * that client called through `ep` (not by a fault, which goes on in the
 * kernel). */
static inline struct thread *claim_client(struct thread *t,
					  struct endpoint *ep,
					  const struct runq *rq, unsigned id)
{
	struct thread *to = t->ipc.client;

	return to && TAILQ_EMPTY(&ep->callers) && to->cap.object == ep &&
	       !rq_above(rq, to->prio) && claim_here(to, id) ? to : NULL;
}

/* `t` waits for what comes next, `to` no longer does. Holds ipc_lock. */
static inline void change_places(struct thread *t, struct thread *to,
				 bool call, struct endpoint *ep)
{
	to->ipc.state = IPC_NONE;
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
}

/* The reference of `to` becomes that of `t`, whose handle has `rights`. The
 * server's one receives; does the client's? Nobody calls while one receives,
 * so nobody is to be told that it was the last. Holds ipc_lock. */
static inline void pass_reference(struct thread *t, struct thread *to,
				  bool call, unsigned rights,
				  struct endpoint *ep)
{
	if (!((call ? rights : to->cap.rights) & WEIR_R_READ))
		__atomic_add_fetch(&ep->nreceivers, call ? -1 : 1,
				   __ATOMIC_ACQ_REL);
	to->cap.object = NULL;
	t->cap.type = OBJ_ENDPOINT;
	t->cap.rights = rights;
	t->cap.object = ep;
}

/* As fast_leave, for a thread that was killed: nobody else would wake it. */
static __attribute__((noinline, noreturn, cold)) void
leave_killed(uint64_t badge, const struct trapframe *from,
	     struct trapframe *to, struct thread *left)
{
	struct runq *rq = this_cpu()->rq;

	if (sched_claim(left, true)) {
		__atomic_store_n(&left->state, THREAD_RUNNABLE,
				 __ATOMIC_SEQ_CST);
		rq_insert(rq, left);
		rq->need = true;
	}
	fast_leave(badge, from, to, left);
}

static inline void count(unsigned id, bool call)
{
	struct stat_set *set = &stat_sets[id];

	set->n[WEIR_C_ipc_fast]++; /* and, by stat.c, a call and a switch */
	if (call)
		set->n[WEIR_C_ipc_call]++;
}

static inline void pass(struct trapframe *tf, bool call)
{
	struct cpu *cpu = this_cpu();
	struct runq *rq = cpu->rq;
	struct thread *t = cpu->current, *to;
	struct handle_table *handles = &t->task->handles;
	const unsigned id = cpu->id;
	struct handle_slot *slot;
	struct endpoint *ep;
	unsigned rights;
	uint64_t badge;

	/* No handle moves, and nothing else is due. */
	if (tf->rdx || rq->need)
		return;
	if (!spin_try_quick(&handles->lock, id + 1))
		return;
	slot = handle_find(handles, tf->rdi);
	if (!slot || slot->cap.type != OBJ_ENDPOINT)
		goto no_handle;
	rights = slot->cap.rights;
	if (!(rights & (call ? WEIR_R_WRITE : WEIR_R_READ)))
		goto no_handle;
	ep = slot->cap.object;
	badge = call ? slot->cap.badge : 0;
	if (!spin_try_quick(&ipc_lock, id + 1))
		goto no_handle;
	if (!spin_try_quick(&rq->lock, id + 1))
		goto no_rq;
	to = call ? claim_server(ep, id) : claim_client(t, ep, rq, id);
	if (!to)
		goto no_partner;

	/* ---- the commit point ---- */
	change_places(t, to, call, ep);
	pass_reference(t, to, call, rights, ep);
	t->sp = &t->parked;
	__atomic_store_n(&t->state, THREAD_WAITING, __ATOMIC_SEQ_CST);
	spin_drop_quick(&ipc_lock);
	spin_drop_quick(&handles->lock);
	rq->prio = to->prio;
	count(id, call);
	load_thread(cpu, id, t, to, true);
	/* Who kills us and came too late to claim us did that before. */
	if (t->task->killed)
		leave_killed(badge, tf, thread_frame(to), t);
	fast_leave(badge, tf, thread_frame(to), t);

no_partner:
	spin_drop_quick(&rq->lock);
no_rq:
	spin_drop_quick(&ipc_lock);
no_handle:
	spin_drop_quick(&handles->lock);
}

__attribute__((flatten)) void fast_call(struct trapframe *tf)
{
	pass(tf, true);
}

__attribute__((flatten)) void fast_reply_recv(struct trapframe *tf)
{
	pass(tf, false);
}
