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

/* trap.asm: goes over to the tables of `as`, leaves the stack of `left`,
 * which is then off its CPU, gives back this CPU's run queue, and enters user
 * mode by frame `to`, with `badge` and the message that `from` has. */
_Noreturn void fast_leave(uint64_t badge, const struct trapframe *from,
			  struct trapframe *to, struct thread *left,
			  struct aspace *as);

/* Can the wait of `to` end here, on CPU `cpu`? Its last CPU is this one, so
 * nobody is on its stack; it may run here (sched_set_affinity). Against a
 * kill: whoever loses the exchange finds it claimed, and makes this CPU look
 * (task_kill). Holds ipc_lock and the run queue's lock. */
static inline bool claim_here(struct thread *to, const struct cpu *cpu)
{
	uint8_t waits = THREAD_WAITING;

	return to->cpu == cpu->id && sysret_fits(thread_frame(to)) &&
	       __atomic_compare_exchange_n(&to->state, &waits, THREAD_RUNNABLE,
					   false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

/* The receiver that a call of `t` reaches; it will be as urgent as `t`, and
 * nobody here is more so, or `need` would be set. */
static inline struct thread *claim_server(struct endpoint *ep,
					  const struct cpu *cpu)
{
	struct thread *to = TAILQ_FIRST(&ep->receivers);

	return to && claim_here(to, cpu) ? to : NULL;
}

/* The client that a reply of `t` reaches, if `t` has to wait next, and if
 * that client called through `ep` (not by a fault, which goes on in the
 * kernel). */
static inline struct thread *claim_client(struct thread *t,
					  struct endpoint *ep,
					  const struct cpu *cpu)
{
	struct thread *to = t->ipc.client;

	return to && TAILQ_EMPTY(&ep->callers) &&
	       to->cap.type == OBJ_ENDPOINT && to->cap.object == ep &&
	       !rq_above(cpu->rq, to->prio) && claim_here(to, cpu) ? to : NULL;
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

/* The reference of `to` becomes that of `t`, whose handle is `cap`. The
 * server's one receives; does the client's? Nobody calls while one receives,
 * so nobody is to be told that it was the last. Holds ipc_lock. */
static inline void pass_reference(struct thread *t, struct thread *to,
				  bool call, const struct cap *cap,
				  struct endpoint *ep)
{
	if (!((call ? cap : &to->cap)->rights & WEIR_R_READ))
		__atomic_add_fetch(&ep->nreceivers, call ? -1 : 1,
				   __ATOMIC_ACQ_REL);
	to->cap.type = OBJ_NONE;
	t->cap.type = OBJ_ENDPOINT;
	t->cap.rights = cap->rights;
	t->cap.object = ep;
}

/* `t` sleeps, unless it was killed: then nobody else would wake it. Holds
 * the run queue's lock. */
static inline void park(struct thread *t, struct task *task, struct runq *rq)
{
	t->sp = &t->parked;
	__atomic_store_n(&t->state, THREAD_WAITING, __ATOMIC_SEQ_CST);
	if (task->killed && sched_claim(t, true)) {
		__atomic_store_n(&t->state, THREAD_RUNNABLE, __ATOMIC_SEQ_CST);
		rq_insert(rq, t);
		rq->need = true;
	}
}

static inline void count(const struct cpu *cpu, bool call)
{
	struct stat_set *set = &stat_sets[cpu->id];

	set->n[WEIR_C_ipc_fast]++; /* and, by stat.c, a call and a switch */
	if (call)
		set->n[WEIR_C_ipc_call]++;
}

static inline void pass(struct trapframe *tf,
						       bool call)
{
	struct cpu *cpu = this_cpu();
	struct runq *rq = cpu->rq;
	struct thread *t = cpu->current, *to;
	struct task *task = t->task;
	const uint32_t holder = cpu->id + 1;
	struct handle_slot *slot;
	const struct cap *cap;
	struct endpoint *ep;
	uint64_t badge;

	/* No handle moves, and nothing else is due. */
	if (tf->rdx || rq->need)
		return;
	if (!spin_try_quick(&task->handles.lock, holder))
		return;
	slot = handle_find(&task->handles, tf->rdi);
	if (!slot)
		goto no_handle;
	cap = &slot->cap;
	if (cap->type != OBJ_ENDPOINT ||
	    !(cap->rights & (call ? WEIR_R_WRITE : WEIR_R_READ)))
		goto no_handle;
	ep = cap->object;
	if (!spin_try_quick(&ipc_lock, holder))
		goto no_handle;
	if (!spin_try_quick(&rq->lock, holder))
		goto no_rq;
	to = call ? claim_server(ep, cpu) : claim_client(t, ep, cpu);
	if (!to)
		goto no_partner;

	/* ---- the commit point ---- */
	change_places(t, to, call, ep);
	pass_reference(t, to, call, cap, ep);
	badge = call ? cap->badge : 0;
	park(t, task, rq);
	spin_drop_quick(&ipc_lock);
	spin_drop_quick(&task->handles.lock);
	rq->prio = to->prio;
	count(cpu, call);
	load_thread(cpu, t, to, true);
	fast_leave(badge, tf, thread_frame(to), t, to->as);

no_partner:
	spin_drop_quick(&rq->lock);
no_rq:
	spin_drop_quick(&ipc_lock);
no_handle:
	spin_drop_quick(&task->handles.lock);
}

__attribute__((flatten)) void fast_call(struct trapframe *tf)
{
	pass(tf, true);
}

__attribute__((flatten)) void fast_reply_recv(struct trapframe *tf)
{
	pass(tf, false);
}
