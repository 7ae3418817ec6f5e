/*
 * sys_task.c - the system calls on tasks, threads and memory.
 */
#include <stddef.h>

#include "arch/x86_64/context.h"
#include "arch/x86_64/usercopy.h"
#include "kernel/ipc.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "mm/aspace.h"
#include "mm/memobj.h"

/* ---- tasks --------------------------------------------------------------- */

/* Copies a name of `n` bytes from the user; odd characters become '?'. */
static int copy_name(char *name, size_t size, uint64_t from, uint64_t n)
{
	int status;

	if (n == 0 || n >= size)
		return -WEIR_EINVAL;
	status = copy_from_user(name, from, n);
	name[n] = 0;
	for (size_t i = 0; !status && i < n; i++)
		if (name[i] < 0x20 || name[i] > 0x7e)
			name[i] = '?';
	return status;
}

/* The right to call is all that a task's fault endpoint keeps. */
static int lookup_fault_ep(uint64_t h, struct cap *out)
{
	struct cap ep;
	int status;

	*out = (struct cap){ .type = OBJ_NONE };
	if (h == 0)
		return 0;
	status = lookup(h, OBJ_ENDPOINT, WEIR_R_WRITE, &ep);
	if (status)
		return status;
	*out = ep;
	out->rights = WEIR_R_WRITE;
	cap_get(*out);
	cap_put(ep);
	return 0;
}

int64_t sys_task_create(struct trapframe *tf, const struct cap *cap)
{
	struct task *self = current()->task, *t;
	char name[sizeof(t->name)];
	struct cap fault;
	int status;

	if (ARG3(tf) & ~(uint64_t)(WEIR_TASK_PRIVILEGED | WEIR_TASK_SYSTEM))
		return -WEIR_EINVAL;
	if (ARG3(tf) & WEIR_TASK_PRIVILEGED && !self->privileged)
		return -WEIR_EPERM;
	if (ARG3(tf) & WEIR_TASK_SYSTEM && !self->as->system)
		return -WEIR_EPERM;
	status = copy_name(name, sizeof(name), ARG1(tf), ARG2(tf));
	if (!status)
		status = lookup_fault_ep(ARG0(tf), &fault);
	if (status)
		return status;
	t = task_create(self, fault, name, ARG3(tf) & WEIR_TASK_PRIVILEGED);
	if (!t) {
		cap_put(fault);
		return -WEIR_ENOMEM;
	}
	t->as->system = ARG3(tf) & WEIR_TASK_SYSTEM;
	return give_handle(OBJ_TASK, t, WEIR_R_ALL);
}

int64_t sys_task_kill(struct trapframe *tf, const struct cap *cap)
{
	task_kill(cap->object, ARG1(tf));
	return 0; /* the own task ends on the way out */
}

/* ---- threads ------------------------------------------------------------- */

int64_t sys_thread_create(struct trapframe *tf, const struct cap *cap)
{
	struct thread *t;
	int status;

	if (ARG1(tf) >= WEIR_USER_TOP || ARG2(tf) > WEIR_USER_TOP)
		return -WEIR_EINVAL;
	status = thread_create_user(cap->object, ARG1(tf), ARG2(tf), ARG3(tf),
				    &t);
	return status ? status : give_handle(OBJ_THREAD, t, WEIR_R_ALL);
}

int64_t sys_thread_exit(struct trapframe *tf, const struct cap *cap)
{
	thread_exit();
}

static int64_t ctl_fsbase(struct thread *t, uint64_t arg)
{
	if (t != current() || arg >= WEIR_USER_TOP)
		return -WEIR_EINVAL;
	t->fs_base = arg;
	set_fs_base(arg);
	return 0;
}

static int64_t thread_ctl(struct thread *t, uint64_t op, uint64_t arg)
{
	switch (op) {
	case WEIR_THREAD_FSBASE:
		return ctl_fsbase(t, arg);
	case WEIR_THREAD_PRIO:
		if (arg >= PRIORITIES)
			return -WEIR_EINVAL;
		ipc_set_prio(t, arg);
		return 0;
	case WEIR_THREAD_AFFINITY:
		if (arg == 0 || arg & ~sched_cpus())
			return -WEIR_EINVAL;
		sched_set_affinity(t, arg);
		return 0;
	case WEIR_THREAD_YIELD:
		if (t != current())
			return -WEIR_EINVAL;
		sched_kick(t);
		return 0;
	case WEIR_THREAD_CPU:
		return t == current() ? (int64_t)cpu_id() : -WEIR_EINVAL;
	}
	return -WEIR_EINVAL;
}

int64_t sys_thread_ctl(struct trapframe *tf, const struct cap *none)
{
	struct cap t;
	int64_t result;

	if (ARG0(tf) == 0)
		return thread_ctl(current(), ARG1(tf), ARG2(tf));
	result = lookup(ARG0(tf), OBJ_THREAD, WEIR_R_MANAGE, &t);
	if (result)
		return result;
	result = thread_ctl(t.object, ARG1(tf), ARG2(tf));
	cap_put(t);
	return result;
}

/* ---- memory -------------------------------------------------------------- */

int64_t sys_mem_create(struct trapframe *tf, const struct cap *cap)
{
	if (ARG0(tf) == 0 || ARG0(tf) > MEMOBJ_MAX_PAGES)
		return -WEIR_EINVAL;
	return give_handle(OBJ_MEM, memobj_create_anon(ARG0(tf)), WEIR_R_ALL);
}

/* The numbers of the rights on memory, too. */
#define PROT_ALL (WEIR_P_READ | WEIR_P_WRITE | WEIR_P_EXEC)

/* W^X: no page is writable and executable at once. */
static bool prot_valid(uint64_t prot)
{
	return !(prot & ~(uint64_t)PROT_ALL) && (prot & WEIR_P_READ) &&
	       !(prot & WEIR_P_WRITE && prot & WEIR_P_EXEC);
}

static struct aspace *space_of(const struct cap *task)
{
	return ((struct task *)task->object)->as;
}

int64_t sys_mem_map(struct trapframe *tf, const struct cap *task)
{
	uint64_t va = ARG3(tf), prot = ARG5(tf);
	unsigned maxprot;
	struct cap mem;
	int status;

	if (!prot_valid(prot))
		return -WEIR_EINVAL;
	status = lookup(ARG1(tf), OBJ_MEM, WEIR_R_READ, &mem);
	if (status)
		return status;
	maxprot = mem.rights & PROT_ALL;
	if (prot & ~(uint64_t)maxprot)
		status = -WEIR_ERIGHTS;
	else
		status = aspace_map(space_of(task), mem.object, ARG2(tf), &va,
				    ARG4(tf), prot, maxprot);
	cap_put(mem);
	return status ? status : (int64_t)va;
}

int64_t sys_mem_unmap(struct trapframe *tf, const struct cap *task)
{
	return aspace_unmap(space_of(task), ARG1(tf), ARG2(tf));
}

int64_t sys_mem_protect(struct trapframe *tf, const struct cap *task)
{
	if (!prot_valid(ARG3(tf)))
		return -WEIR_EINVAL;
	return aspace_protect(space_of(task), ARG1(tf), ARG2(tf), ARG3(tf));
}
