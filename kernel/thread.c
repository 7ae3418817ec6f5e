/*
 * thread.c - the life of threads: creation, first steps, exit.
 *
 * A thread has one reference of its own until it has left its stack for the
 * last time (sched.c drops it there), and one per handle. It holds its task
 * until it exits, not longer: a handle on a dead thread keeps nothing else.
 */
#include "kernel/thread.h"

#include "kernel/ipc.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"

static uint32_t last_id;
static struct waitq resumed = WAITQ_INIT(resumed);

static void thread_destroy(void *thread)
{
	struct thread *t = thread;

	assert(t->state == THREAD_DEAD || t->state == THREAD_WAKING);
	assert(!t->on_cpu && !t->queued);
	kstack_destroy(t->stack_top);
	kfree(t);
}

static struct thread *thread_alloc(unsigned prio)
{
	struct thread *t = kzalloc(sizeof(*t));
	/* A quarter of memory, and what the CPUs have. */
	uint64_t most = nr_frames() / (4 * KSTACK_PAGES) + 3 * cpu_count();

	if (t)
		t->stack_top = kstack_create(most);
	if (!t || !t->stack_top) {
		kfree(t);
		return NULL;
	}
	t->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	t->object = (struct object){ 1, thread_destroy };
	t->sp = &t->fresh;
	t->state = THREAD_WAKING; /* ours to enqueue */
	t->prio = t->base_prio = prio;
	t->affinity = ~0ull;
	t->cpu = cpu_id();
	return t;
}

void thread_create_kernel(const char *name, void (*fn)(void *), void *arg,
			  unsigned prio)
{
	struct thread *t = thread_alloc(prio);

	if (!t)
		panic("no memory for kernel thread %s", name);
	context_make(&t->fresh, t->stack_top, fn, arg);
	sched_enqueue(t, false);
}

int thread_create_user(struct task *task, uint64_t ip, uint64_t sp,
		       uint64_t arg, struct thread **out)
{
	struct thread *t = thread_alloc(PRIO_DEFAULT);

	if (!t)
		return -WEIR_ENOMEM;
	t->task = task;
	t->as = task->as;
	fpu_init(t->fpu);
	struct trapframe *tf = thread_frame(t);
	*tf = (struct trapframe){ .rip = ip, .rsp = sp, .cs = USER_CS,
				  .ss = USER_SS, .rflags = 0x202 };
	/* As if it had received a message with the badge `arg`: in RDI. */
	t->ipc.msg.badge = arg;
	context_make(&t->fresh, tf, ipc_resume, t);
	int status = task_enter(task, t);
	if (status) {
		t->task = NULL;
		object_put(&t->object);
		return status;
	}
	object_get(&t->object);
	*out = t;
	sched_enqueue(t, false);
	return 0;
}

void thread_use_space(struct aspace *as)
{
	uint64_t flags = irq_save();

	current()->as = as;
	tlb_switch_to(as);
	irq_restore(flags);
}

/* One that waits in IPC, or is about to, must not be taken to user mode by
 * the fast path: with RF in its frame SYSRET will not do (sysret_fits). Any
 * other meets kernel_user_return, soon if it is in user mode now. */
void thread_suspend(struct thread *t, bool on)
{
	spin_lock(&ipc_lock);
	t->held |= on;
	__atomic_store_n(&t->suspended, on, __ATOMIC_SEQ_CST);
	if (on && t->ipc.state != IPC_NONE)
		thread_frame(t)->rflags |= RFLAGS_RF;
	spin_unlock(&ipc_lock);
	waitq_wake_all(&resumed);
	sched_kick(t->cpu);
}

void thread_pause(void)
{
	spin_lock(&ipc_lock);
	if (current()->suspended)
		waitq_wait(&resumed, &ipc_lock, 0);
	else
		spin_unlock(&ipc_lock);
}

bool thread_killed(void)
{
	struct task *task = current()->task;

	return task && __atomic_load_n(&task->killed, __ATOMIC_SEQ_CST) &
			       TASK_KILLED;
}

void thread_exit(void)
{
	struct thread *t = current();

	assert(!this_cpu()->locks_held && irq_enabled());
	assert(!t->batch.flush_required); /* I10: no debt without a debtor */
	ipc_exit_thread(t);
	if (t->task)
		task_leave(t);
	t->state = THREAD_DEAD;
	schedule();
	panic("a dead thread ran");
}
