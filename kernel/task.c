/*
 * task.c - the life of tasks.
 *
 * Locks: tasks_lock guards the list of all; task->lock its threads. Order:
 * tasks_lock -> task->lock -> a run queue's lock.
 * Teardown runs once, in the last thread that leaves (or in the killer of a
 * task without threads): space, then handles, then the exit message. No
 * other thread of the task exists by then, so nobody runs in its space.
 */
#include "kernel/task.h"

#include "kernel/ipc.h"
#include "mm/aspace.h"
#include "mm/kmalloc.h"

static struct spinlock tasks_lock = SPINLOCK_INIT(tasks);
struct task_list tasks = LIST_HEAD_INITIALIZER(tasks);
static struct waitq childless = WAITQ_INIT(childless);
static uint32_t last_id;

static uint8_t mark(struct task *t, uint8_t bits)
{
	return __atomic_fetch_or(&t->killed, bits, __ATOMIC_SEQ_CST);
}

/* A living child of `parent`, with a reference; NULL: none is left. Whose
 * last reference is gone is about to be torn down by who dropped it. */
static struct task *living_child(const struct task *parent)
{
	struct task *t;

	spin_lock(&tasks_lock);
	LIST_FOREACH(t, &tasks, all_link)
		if (t->parent == parent && !(t->killed & TASK_KILLED) &&
		    object_get_live(&t->object))
			break;
	spin_unlock(&tasks_lock);
	return t;
}

/* Everything that the task had goes, also what it started: nobody is left to
 * wait for it. */
static void take_apart(struct task *t)
{
	struct task *child;

	if (!t->parent)
		panic("init exited with status %ld", (long)t->status);
	while ((child = living_child(t))) {
		task_kill(child, -WEIR_EPEER);
		object_put(&child->object);
	}
	aspace_destroy_mappings(t->as);
	handles_close_all(&t->handles);
}

/* Once all that it started is gone, so that who is told (`tell`: whoever
 * answers for the task) can have what it all used: nobody knows it any more. */
static void forget(struct task *t, bool tell)
{
	struct weir_msg msg = { .label = WEIR_MSG_EXIT,
				.w = { (uint64_t)t->status } };

	spin_lock(&tasks_lock);
	while (t->nchildren) {
		waitq_sleep(&childless, &tasks_lock);
		spin_lock(&tasks_lock);
	}
	LIST_REMOVE(t, all_link);
	assert(t->parent->nchildren);
	if (--t->parent->nchildren == 0)
		waitq_wake_all(&childless);
	spin_unlock(&tasks_lock);
	if (tell && t->fault.type == WEIR_OBJ_ENDPOINT)
		ipc_call(&t->fault, &msg, true);
	cap_drop(&t->fault);
}

/* Those that end by the end of `t` (its table had the last handle on them) are
 * next in a list, not deeper in the stack: they may be a chain of any length.
 * None of them ever ran, so none has started others. */
static void teardown_next(struct task *t)
{
	struct task *next;

	while ((next = t->next_dying)) {
		t->next_dying = next->next_dying;
		take_apart(next);
		forget(next, false);
		object_put(&next->object);
	}
}

/* Takes the task apart. Once; no thread of it is left but the current one,
 * which has left the space. Sleeps. */
static void teardown(struct task *t, bool tell)
{
	struct task **dying = &current()->dying;

	/* Its table may have handles on it, which come and go meanwhile. */
	object_get(&t->object);
	if (*dying) {
		t->next_dying = (*dying)->next_dying;
		(*dying)->next_dying = t;
		return;
	}
	*dying = t;
	take_apart(t);
	teardown_next(t);
	forget(t, tell);
	teardown_next(t); /* its fault endpoint may have had some */
	*dying = NULL;
	object_put(&t->object);
}

/* The last reference is gone. Sleeps. */
static void task_destroy(void *task)
{
	struct task *t = task;

	assert(t->nthreads == 0);
	if (t->killed & TASK_TORN_DOWN) {
		aspace_put(t->as);
		account_put(t->account);
		kfree(t);
		return;
	}
	/* Never started, nobody knows it. */
	mark(t, TASK_KILLED | TASK_TORN_DOWN);
	teardown(t, false);
}

struct task *task_create(struct task *parent, struct cap fault,
			 const char *name, bool privileged,
			 struct account *account)
{
	struct task *t = kzalloc(sizeof(*t));

	if (t)
		t->as = aspace_create(account);
	if (!t || !t->as) {
		kfree(t);
		return NULL;
	}
	t->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	t->parent = parent;
	t->privileged = privileged;
	t->fault = fault;
	t->fault.rights &= WEIR_R_WRITE; /* to call is all that it may */
	cap_get(t->fault);
	t->account = account_get(account);
	t->object = (struct object){ 1, task_destroy };
	ksnprintf(t->name, sizeof(t->name), "%s", name);
	spin_init(&t->lock, RANK_task);
	LIST_INIT(&t->threads);
	handles_init(&t->handles, t);
	spin_lock(&tasks_lock);
	LIST_INSERT_HEAD(&tasks, t, all_link);
	if (parent)
		parent->nchildren++;
	spin_unlock(&tasks_lock);
	return t;
}

int task_enter(struct task *task, struct thread *t)
{
	int status = 0;

	spin_lock(&task->lock);
	if (task->killed & TASK_KILLED && !PLANTED(W5))
		status = -WEIR_EPEER;
	else if (task->nthreads >= TASK_THREADS_MAX ||
		 !account_charge(task->account, ACCOUNT_THREADS, 1))
		status = -WEIR_EFULL;
	if (!status) {
		LIST_INSERT_HEAD(&task->threads, t, task_link);
		task->nthreads++;
		t->held = task->killed;
		object_get(&task->object);
	}
	spin_unlock(&task->lock);
	return status;
}

void task_leave(struct thread *t)
{
	struct task *task = t->task;

	thread_use_space(NULL); /* the last thread frees its tables */
	spin_lock(&task->lock);
	LIST_REMOVE(t, task_link);
	account_uncharge(task->account, ACCOUNT_THREADS, 1);
	bool last = --task->nthreads == 0;
	if (last)
		mark(task, TASK_KILLED | TASK_TORN_DOWN);
	spin_unlock(&task->lock);
	t->task = NULL; /* a kernel thread, for what is left to do */
	if (last)
		teardown(task, true);
	object_put(&task->object);
}

/* Marks the task, and keeps its threads off the fast path, which looks at
 * `held` and goes to sleep under ipc_lock. Returns what the marks were, with
 * task->lock held. */
static uint8_t mark_and_hold(struct task *task, uint8_t bits)
{
	struct thread *t;

	spin_lock(&ipc_lock);
	spin_lock(&task->lock);
	uint8_t was = mark(task, bits);
	LIST_FOREACH(t, &task->threads, task_link)
		t->held = true;
	spin_unlock(&ipc_lock);
	return was;
}

void task_hold(struct task *task)
{
	mark_and_hold(task, TASK_HELD);
	spin_unlock(&task->lock);
}

void task_kill(struct task *task, int64_t status)
{
	struct thread *t;

	if (!(mark_and_hold(task, TASK_KILLED) & TASK_KILLED))
		task->status = status;
	LIST_FOREACH(t, &task->threads, task_link)
		if (!sched_wake(t, true, false))
			sched_kick(t->cpu);
	bool empty = task->nthreads == 0 && !(task->killed & TASK_TORN_DOWN);
	if (empty)
		mark(task, TASK_TORN_DOWN);
	spin_unlock(&task->lock);
	/* It never ran, so nobody waits for its end but the caller, who might
	 * be the one that the message is for, and would wait for itself. */
	if (empty)
		teardown(task, false);
}

bool task_info(uint64_t index, struct weir_task *out)
{
	struct task *t;

	spin_lock(&tasks_lock);
	LIST_FOREACH(t, &tasks, all_link)
		if (index-- == 0)
			break;
	if (t) {
		*out = (struct weir_task){
			.id = t->id, .parent = t->parent ? t->parent->id : 0,
			.threads = t->nthreads, .privileged = t->privileged,
			.resident = t->as->resident,
			.cpu_ns = time_of_ticks(t->cpu_tsc) };
		ksnprintf(out->name, sizeof(out->name), "%s", t->name);
	}
	spin_unlock(&tasks_lock);
	return t;
}
