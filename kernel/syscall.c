/*
 * syscall.c - the table, and the calls on handles, IPC and notifications.
 *
 * Nothing in the trap frame is trusted: every call checks all its arguments
 * before it has an effect. Handles that a call looked up are put back on
 * every way out.
 */
#include "kernel/syscall.h"

#include "arch/x86_64/upcalls.h"
#include "kernel/abi/test.h"
#include "kernel/ipc.h"
#include "kernel/ntfn.h"
#include "kernel/sched.h"
#include "kernel/stat.h"

#define WEIR_R_0 0

static const struct {
	int64_t (*fn)(struct trapframe *tf, const struct cap *cap);
	uint8_t object, right; /* of the first argument */
} table[WEIR_NSYSCALLS] = {
#define SYSCALL(nr, name, object, right) \
	[nr] = { sys_##name, OBJ_##object, WEIR_R_##right },
#include "kernel/abi/syscalls.def"
};

static void drop_cap(void)
{
	struct cap cap = current()->cap;

	current()->cap = (struct cap){ .type = OBJ_NONE };
	cap_put(cap);
}

static int64_t dispatch(struct trapframe *tf)
{
	struct cap *cap = &current()->cap;
	uint64_t nr = tf->rax;
	int64_t result;

	if (nr >= WEIR_NSYSCALLS)
		return -WEIR_ENOSYS;
	if (table[nr].object == OBJ_NONE)
		return table[nr].fn(tf, cap);
	result = lookup(ARG0(tf), table[nr].object, table[nr].right, cap);
	if (result)
		return result;
	result = table[nr].fn(tf, cap);
	drop_cap();
	return result;
}

void kernel_syscall(struct trapframe *tf)
{
	struct task *task = current()->task;
	bool burnt = false;

	stat_add(WEIR_C_syscalls, 1);
	/* A test's. What is left to do here must be done here, so no thread
	 * on the fast path may enter user mode for us: SYSRET will not do. */
	if (task->fuse) {
		tf->rflags |= RFLAGS_RF;
		burnt = __atomic_sub_fetch(&task->fuse, 2,
					   __ATOMIC_RELAXED) < 2;
	}
	if (!burnt || task->fuse & 1)
		tf->rax = dispatch(tf);
	if (burnt)
		task_kill(task, WEIR_TEST_FUSE);
}

int64_t give_handle(enum object_type type, void *object, unsigned rights)
{
	struct cap cap = { .type = type, .rights = rights, .object = object };

	if (!object)
		return -WEIR_ENOMEM;
	return handle_insert_or_put(&current()->task->handles, cap);
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

/* A call that ends with a message received. */
static int64_t ipc(struct trapframe *tf, const struct cap *ep,
		   int (*call)(const struct cap *, struct weir_msg *))
{
	struct weir_msg msg;
	int status = msg_load(tf, &msg);

	if (!status)
		status = call(ep, &msg);
	if (!status)
		msg_store(tf, &msg);
	return status;
}

/* The rest of a call that the fast path has begun. */
void ipc_resume(void *t)
{
	struct trapframe *tf = thread_frame(t);

	sched_arrive(true);
	tf->rax = ipc(tf, NULL, ipc_wait);
	drop_cap();
	trap_return(tf);
}

int64_t sys_ipc_call(struct trapframe *tf, const struct cap *cap)
{
	return ipc(tf, cap, ipc_call);
}

int64_t sys_ipc_recv(struct trapframe *tf, const struct cap *cap)
{
	tf->rdx = 0; /* no message goes out */
	return ipc(tf, cap, ipc_recv);
}

int64_t sys_ipc_reply_recv(struct trapframe *tf, const struct cap *cap)
{
	return ipc(tf, cap, ipc_reply_recv);
}

int64_t sys_ipc_reply(struct trapframe *tf, const struct cap *cap)
{
	struct weir_msg msg;
	int status = msg_load(tf, &msg);

	return status ? status : ipc_reply(&msg);
}

int64_t sys_ep_create(struct trapframe *tf, const struct cap *cap)
{
	return give_handle(OBJ_ENDPOINT, endpoint_create(), WEIR_R_ALL);
}

/* ---- notifications ------------------------------------------------------- */

int64_t sys_ntfn_create(struct trapframe *tf, const struct cap *cap)
{
	return give_handle(OBJ_NTFN, ntfn_create(), WEIR_R_ALL);
}

int64_t sys_ntfn_signal(struct trapframe *tf, const struct cap *cap)
{
	ntfn_signal(cap->object, ARG1(tf));
	return 0;
}

int64_t sys_ntfn_wait(struct trapframe *tf, const struct cap *cap)
{
	uint64_t bits;
	int status = ntfn_wait(cap->object, ARG1(tf), ARG2(tf), &bits);

	if (!status)
		tf->rdx = bits;
	return status;
}

/* ---- handles ------------------------------------------------------------- */

/* Puts a copy of what `h` names into the table of `to`: no more than `rights`,
 * and `badge`, if there is one; a badge is for good. */
static int64_t copy_handle(uint64_t h, struct task *to, unsigned rights,
			   uint64_t badge)
{
	struct cap cap, copy;
	int64_t result = lookup(h, OBJ_NONE, WEIR_R_DUP, &cap);

	if (result)
		return result;
	copy = cap;
	copy.rights &= rights;
	if (badge)
		copy.badge = badge;
	if (cap.badge && copy.badge != cap.badge) {
		result = -WEIR_ERIGHTS;
	} else {
		cap_get(copy);
		result = handle_insert_or_put(&to->handles, copy);
	}
	cap_put(cap);
	return result;
}

int64_t sys_handle_dup(struct trapframe *tf, const struct cap *none)
{
	return copy_handle(ARG0(tf), current()->task, ARG1(tf), ARG2(tf));
}

int64_t sys_handle_close(struct trapframe *tf, const struct cap *cap)
{
	if (ARG0(tf) > UINT32_MAX)
		return -WEIR_EHANDLE;
	return handle_close(&current()->task->handles, ARG0(tf));
}

int64_t sys_handle_give(struct trapframe *tf, const struct cap *task)
{
	return copy_handle(ARG1(tf), task->object, ARG2(tf), 0);
}
