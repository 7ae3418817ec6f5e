/*
 * ipc.c - endpoints and messages.
 *
 * A message is a few words and at most one handle. It is copied from thread
 * to thread while both stand still: the caller sleeps in the kernel, and the
 * server's Reply is the link server->client <-> client->server.
 * ipc_lock is held for a few dozen instructions. Lock order: ipc_lock -> a
 * handle table's lock, or -> a run queue's. fastpath.c is the short way of
 * the common case. A thread is in at most one of these places:
 *   CALLING      in ep->callers, with a message of its own
 *   AWAIT_REPLY  client->server and server->client point to each other
 *   RECEIVING    in ep->receivers, and owes nobody a reply
 * Who ends a wait makes that NONE under ipc_lock; a killed thread takes
 * itself out of these places under the same lock (P4).
 */
#include "kernel/ipc.h"

#include "kernel/syscall.h"
#include "mm/kmalloc.h"

struct spinlock ipc_lock = SPINLOCK_INIT(ipc);

/* ---- priorities ---------------------------------------------------------- */

/* The client of `t`, or its own priority, is another one: `t` gets what it
 * now runs at, and so does whoever works for it. Holds ipc_lock. */
static void settle_prio(struct thread *t)
{
	for (; t; t = t->ipc.server) {
		struct thread *client = t->ipc.client;
		unsigned prio = t->base_prio;

		if (client && client->prio > prio)
			prio = client->prio;
		if (prio == t->prio)
			return;
		sched_set_prio(t, prio);
	}
}

void ipc_set_prio(struct thread *t, unsigned prio)
{
	spin_lock(&ipc_lock);
	t->base_prio = prio;
	settle_prio(t);
	spin_unlock(&ipc_lock);
}

/* ---- ends of waits (all hold ipc_lock) ----------------------------------- */

/* The message of `t` does not travel: its handle stays. */
static void undo_move(struct thread *t)
{
	if (t->ipc.msg.handle && !PLANTED(W10))
		handle_move_end(&t->task->handles, t->ipc.msg.handle,
				false);
}

/* The wait of `t` is over. `here`: we are about to sleep ourselves. */
static void complete(struct thread *t, int status, bool here)
{
	if (status && t->ipc.state == IPC_CALLING)
		undo_move(t);
	t->ipc.state = IPC_NONE;
	t->ipc.ep = NULL;
	t->ipc.status = status;
	sched_wake(t, false, here);
}

/* The client of `t` does not wait for it any more. */
static void unlink_client(struct thread *t)
{
	t->ipc.client->ipc.server = NULL;
	t->ipc.client = NULL;
	if (!PLANTED(W4))
		settle_prio(t);
}

/* `t` waits in vain: takes it out of where it is. */
static void cancel(struct thread *t)
{
	if (t->ipc.state == IPC_CALLING)
		TAILQ_REMOVE(&t->ipc.ep->callers, t, ipc.link);
	else if (t->ipc.state == IPC_RECEIVING)
		TAILQ_REMOVE(&t->ipc.ep->receivers, t, ipc.link);
	else if (t->ipc.state == IPC_AWAIT_REPLY)
		unlink_client(t->ipc.server);
	complete(t, -WEIR_EPEER, false);
}

/* Sleeps until the wait of the current thread `t` is over: its status. What it
 * got is in t->ipc.msg. Holds ipc_lock, which is released. */
static int wait_done(struct thread *t, bool killable)
{
	while (t->ipc.state != IPC_NONE) {
		if (killable && thread_killed()) {
			cancel(t);
			break;
		}
		sched_sleep(killable, &ipc_lock);
		spin_lock(&ipc_lock);
	}
	spin_unlock(&ipc_lock);
	return t->ipc.status;
}

void ipc_exit_thread(struct thread *t)
{
	spin_lock(&ipc_lock);
	if (t->ipc.client && !PLANTED(W9))
		cancel(t->ipc.client);
	spin_unlock(&ipc_lock);
}

/* ---- endpoints ----------------------------------------------------------- */

void endpoint_drop_receiver(struct endpoint *ep)
{
	struct thread *t;

	if (__atomic_sub_fetch(&ep->nreceivers, 1, __ATOMIC_ACQ_REL))
		return;
	spin_lock(&ipc_lock);
	while ((t = TAILQ_FIRST(&ep->callers)))
		cancel(t);
	spin_unlock(&ipc_lock);
}

static void endpoint_destroy(void *object)
{
	struct endpoint *ep = object;

	assert(TAILQ_EMPTY(&ep->callers) && TAILQ_EMPTY(&ep->receivers));
	kfree(ep);
}

int64_t sys_ep_create(struct trapframe *tf, const struct cap *none)
{
	struct endpoint *ep = kzalloc(sizeof(*ep));

	if (ep)
		*ep = (struct endpoint){
			{ 1, endpoint_destroy }, .nreceivers = 1,
			.callers = TAILQ_HEAD_INITIALIZER(ep->callers),
			.receivers = TAILQ_HEAD_INITIALIZER(ep->receivers) };
	return give_handle(WEIR_OBJ_ENDPOINT, ep, WEIR_R_ALL);
}

/* ---- messages (all hold ipc_lock) ---------------------------------------- */

/* Copies the message of `from` to `to`, and moves its handle along. */
static int transfer(struct thread *from, struct thread *to)
{
	handle_t moving = from->ipc.msg.handle;
	int64_t h = 0;

	if (moving) {
		h = handle_insert(&to->task->handles, from->ipc.cap);
		if (h < 0)
			return h;
		handle_move_end(&from->task->handles, moving, true);
	}
	to->ipc.msg = from->ipc.msg;
	to->ipc.msg.handle = h;
	return 0;
}

/* The call of `from` reaches `to`, which is among the receivers, and stays
 * there if it cannot; then `from` knows. */
static void deliver(struct thread *from, struct thread *to)
{
	int status = transfer(from, to);

	if (status) {
		complete(from, status, false);
		return;
	}
	/* The commit point: from here on the server owes the reply. */
	TAILQ_REMOVE(&to->ipc.ep->receivers, to, ipc.link);
	if (from->ipc.oneway) {
		complete(from, 0, false);
	} else {
		from->ipc.state = IPC_AWAIT_REPLY;
		from->ipc.ep = NULL;
		from->ipc.server = to;
		to->ipc.client = from;
		settle_prio(to);
	}
	complete(to, 0, from == current());
}

/* Makes the message in a trap frame what the current thread sends, and marks
 * the handle that it moves. Takes ipc_lock, unless there is an error. */
static int load(const struct trapframe *tf, uint64_t badge)
{
	struct thread *t = current();
	int status = 0;

	if (tf->rdx)
		status = handle_lookup(tf->rdx, WEIR_OBJ_NONE, WEIR_R_DUP,
				       true, &t->ipc.cap);
	if (status)
		return status;
	spin_lock(&ipc_lock);
	t->ipc.msg = (struct weir_msg){
		.label = tf->rsi, .handle = tf->rdx, .badge = badge,
		.w = { tf->r10, tf->r8, tf->r9, tf->r12, tf->r13 } };
	return 0;
}

/* The end of a system call: its status, with the message that it got. */
static int64_t got(struct trapframe *tf, int status)
{
	const struct weir_msg *msg = &current()->ipc.msg;

	if (status)
		return status;
	tf->rdi = msg->badge;
	tf->rsi = msg->label;
	tf->rdx = msg->handle;
	tf->r10 = msg->w[0];
	tf->r8 = msg->w[1];
	tf->r9 = msg->w[2];
	tf->r12 = msg->w[3];
	tf->r13 = msg->w[4];
	return 0;
}

/* ---- the four calls ------------------------------------------------------ */

/* Sends what is loaded, and waits for the reply, or, `oneway`, until it is
 * received. Holds ipc_lock; releases it. */
static int call(struct endpoint *ep, bool oneway)
{
	struct thread *t = current(), *server;

	stat_add(WEIR_C_ipc_call, 1);
	t->ipc.oneway = oneway;
	t->ipc.ep = ep;
	t->ipc.state = IPC_CALLING;
	server = TAILQ_FIRST(&ep->receivers);
	if (__atomic_load_n(&ep->nreceivers, __ATOMIC_ACQUIRE) == 0)
		complete(t, -WEIR_EPEER, false);
	else if (server)
		deliver(t, server);
	else
		TAILQ_INSERT_TAIL(&ep->callers, t, ipc.link);
	return wait_done(t, !oneway);
}

int ipc_call(const struct cap *ep, struct weir_msg *msg, bool oneway)
{
	struct thread *t = current();

	spin_lock(&ipc_lock);
	t->ipc.msg = *msg;
	t->ipc.msg.badge = ep->badge;
	int status = call(ep->object, oneway);
	*msg = t->ipc.msg;
	return status;
}

int64_t sys_ipc_call(struct trapframe *tf, const struct cap *ep)
{
	return load(tf, ep->badge) ?: got(tf, call(ep->object, false));
}

/* The next message for the current thread. Holds ipc_lock; releases it. */
static int receive(struct endpoint *ep)
{
	struct thread *t = current(), *caller;

	if (t->ipc.client)
		cancel(t->ipc.client);
	t->ipc.state = IPC_RECEIVING;
	t->ipc.ep = ep;
	TAILQ_INSERT_TAIL(&ep->receivers, t, ipc.link);
	while (t->ipc.state && (caller = TAILQ_FIRST(&ep->callers))) {
		TAILQ_REMOVE(&ep->callers, caller, ipc.link);
		deliver(caller, t);
	}
	return wait_done(t, true);
}

int64_t sys_ipc_recv(struct trapframe *tf, const struct cap *ep)
{
	spin_lock(&ipc_lock);
	return got(tf, receive(ep->object));
}

/* Answers the client, if one waits. `here`: we sleep next. Holds ipc_lock. */
static int reply(bool here)
{
	struct thread *t = current(), *client = t->ipc.client;
	int status = client ? transfer(t, client) : -WEIR_EPEER;

	if (status)
		undo_move(t);
	if (client) {
		unlink_client(t);
		complete(client, status, here);
	}
	return status;
}

int64_t sys_ipc_reply(struct trapframe *tf, const struct cap *none)
{
	int status = load(tf, 0);

	if (status)
		return status;
	status = reply(false);
	spin_unlock(&ipc_lock);
	return status;
}

int64_t sys_ipc_reply_recv(struct trapframe *tf, const struct cap *cap)
{
	struct endpoint *ep = cap->object;
	int status = load(tf, 0);

	if (status)
		return status;
	reply(TAILQ_EMPTY(&ep->callers));
	return got(tf, receive(ep));
}

void ipc_resume(void *thread)
{
	struct thread *t = thread;
	struct trapframe *tf = thread_frame(t);

	spin_lock(&ipc_lock);
	tf->rax = got(tf, wait_done(t, true));
	cap_drop(&t->cap);
	trap_return(tf);
}
