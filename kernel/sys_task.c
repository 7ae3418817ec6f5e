/*
 * sys_task.c - the system calls on tasks and threads, and the one that tells
 * what a handle names.
 */
#include "kernel/syscall.h"
#include "mm/aspace.h"

/* ---- tasks --------------------------------------------------------------- */

/* The kinds of an account are the fields of a quota. */
_Static_assert(sizeof(struct weir_quota) == 8 * ACCOUNT_NKINDS &&
	       offsetof(struct weir_quota, handles) == 8 * ACCOUNT_HANDLES &&
	       offsetof(struct weir_quota, threads) == 8 * ACCOUNT_THREADS, "");

/* The account of a new task: with the limits at `from`, or, if that is 0, the
 * caller's. A reference is the caller's. */
static int choose_account(uint64_t from, struct account **out)
{
	struct account *own = current()->task->account;
	uint64_t limit[ACCOUNT_NKINDS];

	if (from && copy_from_user(limit, from, sizeof(limit)))
		return -WEIR_EFAULT;
	*out = from ? account_create(own, limit) : account_get(own);
	return from && !*out ? -WEIR_ENOMEM : 0;
}

int64_t sys_task_create(struct trapframe *tf, const struct cap *cap)
{
	struct task *self = current()->task, *t;
	uint64_t flags = ARG3(tf);
	struct cap *ep = &current()->other;
	struct account *account;
	char name[sizeof(t->name)];
	int status = 0;

	if (flags & ~(uint64_t)(WEIR_TASK_PRIVILEGED | WEIR_TASK_SYSTEM |
				WEIR_TASK_PINNED) || ARG2(tf) == 0)
		return -WEIR_EINVAL;
	if ((flags & WEIR_TASK_PRIVILEGED && !self->privileged) ||
	    (flags & (WEIR_TASK_SYSTEM | WEIR_TASK_PINNED) &&
	     !self->as->system))
		return -WEIR_EPERM;
	if (ARG0(tf))
		status = lookup(ARG0(tf), WEIR_OBJ_ENDPOINT, WEIR_R_WRITE, ep);
	if (!status)
		status = copy_text(name, sizeof(name), ARG1(tf), ARG2(tf));
	if (!status)
		status = choose_account(ARG4(tf), &account);
	if (status)
		return status;
	t = task_create(self, *ep, name, flags & WEIR_TASK_PRIVILEGED,
			account);
	account_put(account);
	if (!t)
		return -WEIR_ENOMEM;
	t->as->system = flags & WEIR_TASK_SYSTEM;
	t->as->pinned = flags & WEIR_TASK_PINNED;
	return give_handle(WEIR_OBJ_TASK, t, WEIR_R_ALL);
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

	if (!PLANTED(W6) &&
	    (ARG1(tf) >= WEIR_USER_TOP || ARG2(tf) > WEIR_USER_TOP))
		return -WEIR_EINVAL;
	int status = thread_create_user(cap->object, ARG1(tf), ARG2(tf),
					ARG3(tf), &t);
	return status ? status : give_handle(WEIR_OBJ_THREAD, t, WEIR_R_ALL);
}

int64_t sys_thread_exit(struct trapframe *tf, const struct cap *cap)
{
	thread_exit();
}

int64_t sys_thread_ctl(struct trapframe *tf, const struct cap *none)
{
	struct thread *t = current();
	uint64_t op = ARG1(tf), arg = ARG2(tf);

	if (ARG0(tf)) {
		int status = lookup(ARG0(tf), WEIR_OBJ_THREAD, WEIR_R_MANAGE,
				    &t->other);
		if (status)
			return status;
		t = t->other.object;
	}
	bool own = t == current();
	if (op == WEIR_THREAD_FSBASE && own && arg < WEIR_USER_TOP) {
		t->fs_base = arg;
		set_fs_base(arg);
	} else if (op == WEIR_THREAD_PRIO && arg < PRIORITIES) {
		ipc_set_prio(t, arg);
	} else if (op == WEIR_THREAD_AFFINITY && arg &&
		   !(arg & ~sched_cpus())) {
		sched_set_affinity(t, arg);
	} else if (op == WEIR_THREAD_YIELD && own) {
		sched_kick(t->cpu);
	} else if (op == WEIR_THREAD_SUSPEND || op == WEIR_THREAD_RESUME) {
		thread_suspend(t, op == WEIR_THREAD_SUSPEND);
	} else if (op == WEIR_THREAD_CPU && own) {
		return cpu_id();
	} else {
		return -WEIR_EINVAL;
	}
	return 0;
}

/* ---- what a handle names ------------------------------------------------- */

static void task_look(struct task *t, struct weir_object_info *info)
{
	spin_lock(&t->lock);
	info->task.id = t->id;
	info->task.threads = t->nthreads;
	info->task.alive = !(t->killed & TASK_KILLED);
	info->task.status = t->status;
	info->task.resident = t->as->resident;
	spin_unlock(&t->lock);
	if (!t->account)
		return;
	memcpy(&info->task.limit, t->account->limit, sizeof(struct weir_quota));
	memcpy(&info->task.used, t->account->used, sizeof(struct weir_quota));
}

static void thread_look(struct thread *t, struct weir_object_info *info)
{
	info->thread.id = t->id;
	info->thread.prio = t->prio;
	info->thread.cpu = t->cpu;
	info->thread.state = t->state;
}

static void mem_look(struct memobj *obj, struct weir_object_info *info)
{
	info->mem.npages = obj->npages;
	info->mem.present = obj->wired ? obj->npages : obj->pages;
	info->mem.pa = obj->wired_pa;
	info->mem.refs = __atomic_load_n(&obj->refs, __ATOMIC_RELAXED) - 1;
	info->mem.kind = obj->wired	     ? WEIR_MEM_IS_WIRED :
			 obj->family->pager ? WEIR_MEM_IS_PAGED :
					      WEIR_MEM_IS_ANON;
}

int64_t sys_object_info(struct trapframe *tf, const struct cap *none)
{
	struct weir_object_info info = { 0 };
	struct cap *cap = &current()->other;

	if (ARG2(tf) < sizeof(info))
		return -WEIR_EINVAL;
	int status = lookup(ARG0(tf), WEIR_OBJ_NONE, 0, cap);
	if (status)
		return status;
	info.type = cap->type;
	info.rights = cap->rights;
	info.badge = cap->badge;
	if (cap->type == WEIR_OBJ_TASK)
		task_look(cap->object, &info);
	else if (cap->type == WEIR_OBJ_THREAD)
		thread_look(cap->object, &info);
	else if (cap->type == WEIR_OBJ_MEM)
		mem_look(cap->object, &info);
	return copy_to_user(ARG1(tf), &info, sizeof(info));
}
