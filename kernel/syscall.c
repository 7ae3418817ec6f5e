/*
 * syscall.c - the table, and the calls on handles, IPC and notifications.
 *
 * Nothing in the trap frame is trusted: every call checks all its arguments
 * before it has an effect. Handles that a call looked up are put back on
 * every way out.
 */
#include "kernel/syscall.h"

#include "arch/x86_64/upcalls.h"
#include "kernel/ipc.h"
#include "kernel/ntfn.h"
#include "kernel/stat.h"

static int64_t (*const table[WEIR_NSYSCALLS])(struct trapframe *tf) = {
#define SYSCALL(nr, name, nargs) [nr] = sys_##name,
#include "kernel/abi/syscalls.def"
#undef SYSCALL
};

void kernel_syscall(struct trapframe *tf)
{
	stat_add(WEIR_C_syscalls, 1);
	if (tf->rax >= WEIR_NSYSCALLS)
		tf->rax = -(int64_t)WEIR_ENOSYS;
	else
		tf->rax = table[tf->rax](tf);
}

int64_t give_handle(enum object_type type, void *object, unsigned rights)
{
	struct cap cap = { .type = type, .rights = rights, .object = object };
	int64_t h = handle_insert(&current()->task->handles, cap);

	if (h < 0)
		cap_put(cap);
	return h;
}

/* ---- IPC ----------------------------------------------------------------- */

static int msg_load(const struct trapframe *tf, struct weir_msg *msg)
{
	if (tf->rdx > UINT32_MAX)
		return -WEIR_EHANDLE;
	*msg = (struct weir_msg){
		.label = tf->rsi, .handle = tf->rdx,
		.w = { tf->r10, tf->r8, tf->r9, tf->r12, tf->r13 } };
	return 0;
}

static void msg_store(struct trapframe *tf, const struct weir_msg *msg)
{
	tf->rdi = msg->badge;
	tf->rsi = msg->label;
	tf->rdx = msg->handle;
	tf->r10 = msg->w[0];
	tf->r8 = msg->w[1];
	tf->r9 = msg->w[2];
	tf->r12 = msg->w[3];
	tf->r13 = msg->w[4];
}

/* A call that takes an endpoint and ends with a message received. */
static int64_t ipc(struct trapframe *tf, unsigned right,
		   int (*call)(const struct cap *, struct weir_msg *))
{
	struct weir_msg msg;
	struct cap ep;
	int status = msg_load(tf, &msg);

	if (!status)
		status = lookup(tf->rdi, OBJ_ENDPOINT, right, &ep);
	if (status)
		return status;
	status = call(&ep, &msg);
	cap_put(ep);
	if (!status)
		msg_store(tf, &msg);
	return status;
}

int64_t sys_ipc_call(struct trapframe *tf)
{
	return ipc(tf, WEIR_R_WRITE, ipc_call);
}

int64_t sys_ipc_recv(struct trapframe *tf)
{
	tf->rdx = 0; /* no message goes out */
	return ipc(tf, WEIR_R_READ, ipc_recv);
}

int64_t sys_ipc_reply_recv(struct trapframe *tf)
{
	return ipc(tf, WEIR_R_READ, ipc_reply_recv);
}

int64_t sys_ipc_reply(struct trapframe *tf)
{
	struct weir_msg msg;
	int status = msg_load(tf, &msg);

	return status ? status : ipc_reply(&msg);
}

int64_t sys_ep_create(struct trapframe *tf)
{
	struct endpoint *ep = endpoint_create();

	(void)tf;
	return ep ? give_handle(OBJ_ENDPOINT, ep, WEIR_R_ALL) : -WEIR_ENOMEM;
}

/* ---- notifications ------------------------------------------------------- */

int64_t sys_ntfn_create(struct trapframe *tf)
{
	struct ntfn *n = ntfn_create();

	(void)tf;
	return n ? give_handle(OBJ_NTFN, n, WEIR_R_ALL) : -WEIR_ENOMEM;
}

int64_t sys_ntfn_signal(struct trapframe *tf)
{
	struct cap n;
	int status = lookup(ARG0(tf), OBJ_NTFN, WEIR_R_WRITE, &n);

	if (status)
		return status;
	ntfn_signal(n.object, ARG1(tf));
	cap_put(n);
	return 0;
}

int64_t sys_ntfn_wait(struct trapframe *tf)
{
	struct cap n;
	uint64_t bits;
	int status = lookup(ARG0(tf), OBJ_NTFN, WEIR_R_WAIT, &n);

	if (status)
		return status;
	status = ntfn_wait(n.object, ARG1(tf), ARG2(tf), &bits);
	cap_put(n);
	if (!status)
		tf->rdx = bits;
	return status;
}

/* ---- handles ------------------------------------------------------------- */

int64_t sys_handle_dup(struct trapframe *tf)
{
	struct cap cap;
	int status = lookup(ARG0(tf), OBJ_NONE, WEIR_R_DUP, &cap);
	struct cap copy;
	int64_t h;

	if (status)
		return status;
	copy = cap;
	copy.rights &= ARG1(tf);
	if (ARG2(tf) && cap.badge && ARG2(tf) != cap.badge) {
		cap_put(cap);
		return -WEIR_ERIGHTS; /* a badge is for good */
	}
	if (ARG2(tf))
		copy.badge = ARG2(tf);
	cap_get(copy);
	h = handle_insert(&current()->task->handles, copy);
	if (h < 0)
		cap_put(copy);
	cap_put(cap);
	return h;
}

int64_t sys_handle_close(struct trapframe *tf)
{
	if (ARG0(tf) > UINT32_MAX)
		return -WEIR_EHANDLE;
	return handle_close(&current()->task->handles, ARG0(tf));
}

int64_t sys_handle_give(struct trapframe *tf)
{
	struct cap task, cap;
	struct cap copy;
	int64_t h;
	int status = lookup(ARG0(tf), OBJ_TASK, WEIR_R_MANAGE, &task);

	if (status)
		return status;
	status = lookup(ARG1(tf), OBJ_NONE, WEIR_R_DUP, &cap);
	if (status) {
		cap_put(task);
		return status;
	}
	copy = cap;
	copy.rights &= ARG2(tf);
	cap_get(copy);
	h = handle_insert(&((struct task *)task.object)->handles, copy);
	if (h < 0)
		cap_put(copy);
	cap_put(cap);
	cap_put(task);
	return h;
}
