/*
 * fault.c - faults of user mode, and the way back to it.
 *
 * A page fault that mm cannot resolve, and every other exception, becomes a
 * message to the task's fault endpoint; its reply decides. Without an
 * endpoint the task dies, and the console says why; so does the task that
 * ran out of memory: whoever is to answer may need some, too (P6).
 */
#include "kernel/ipc.h"
#include "mm/aspace.h"

static const char *const fault_texts[] = {
	[WEIR_FAULT_PAGE] = "bad memory access",
	[WEIR_FAULT_NOMEM] = "out of memory and swap",
	[WEIR_FAULT_IO] = "the page's pager or the swap device failed",
	[WEIR_FAULT_CPU] = "CPU exception",
	[WEIR_FAULT_LIMIT] = "more memory than it may have",
};

/* The current thread cannot go on: asks its fault endpoint, unless memory is
 * what lacks. Returns to try again, or with the task killed. Sleeps. */
static void report_fault(struct trapframe *tf, enum weir_fault kind,
			 uint64_t addr, uint64_t error)
{
	struct task *task = current()->task;
	struct weir_msg msg = {
		.label = WEIR_MSG_FAULT,
		.w = { kind, addr, tf->rip, error, current()->id } };

	if (!thread_killed() && kind != WEIR_FAULT_NOMEM &&
	    task->fault.type == WEIR_OBJ_ENDPOINT &&
	    !ipc_call(&task->fault, &msg, false)) {
		handle_close(&task->handles, msg.handle); /* of 0: nothing */
		if (msg.label != 0)
			task_kill(task, -WEIR_EFAULT);
	} else if (!thread_killed()) {
		kprintf("task %u (%s): %s at %lx, ip %lx, error %lx: killed\n",
			task->id, task->name, fault_texts[kind], addr, tf->rip,
			error);
		task_kill(task, kind == WEIR_FAULT_NOMEM ? -WEIR_ENOMEM :
							   -WEIR_EFAULT);
	}
}

void kernel_page_fault(struct trapframe *tf, uint64_t cr2)
{
	if (tf->error & PF_RESERVED)
		panic_trap(tf, "reserved bit in the page tables at %lx", cr2);
	int status = aspace_fault(current()->as, cr2, tf->error & PF_WRITE,
				  tf->error & PF_EXEC);
	if (status && !trap_from_user(tf))
		usercopy_fail(tf);
	else if (status)
		report_fault(tf,
			     status == -WEIR_ENOMEM ? WEIR_FAULT_NOMEM :
			     status == -WEIR_EFULL  ? WEIR_FAULT_LIMIT :
			     status == -WEIR_EIO    ? WEIR_FAULT_IO :
						      WEIR_FAULT_PAGE,
			     cr2, tf->error);
}

void kernel_user_exception(struct trapframe *tf)
{
	report_fault(tf, WEIR_FAULT_CPU, tf->rip, tf->vector);
}

void kernel_user_return(struct trapframe *tf)
{
	for (;;) {
		while (sched_needed() && !thread_killed())
			schedule();
		if (!thread_killed() && !current()->suspended)
			break;
		irq_enable();
		if (thread_killed())
			thread_exit();
		thread_pause();
		irq_disable();
	}
	assert(!current()->batch.flush_required); /* I10 */
	tlb_catch_up();
}
