/*
 * audit.c - stops the world and has everything counted (check=audit).
 *
 * A CPU that is called parks in the interrupt: interrupts were on, so it
 * holds no spinlock, and whatever it was about to do waits. The auditor holds
 * none either. Who waits for TLB acknowledgements has interrupts on and is
 * parked there; its request waits with it (I21). Of two auditors at once the
 * second waits with interrupts on, and so is parked by the first.
 */
#include "arch/x86_64/apic.h"
#include "kernel/sched.h"
#include "mm/memobj.h"
#include "mm/mm.h"

static volatile unsigned parked;        /* atomic: CPUs that stand still */
static volatile bool auditing, stopped; /* atomic: there is an auditor; who
					 * is parked stays so */
static bool at_rest; /* the auditor's: nobody has anything in hand */

static void park(struct trapframe *tf)
{
	__atomic_add_fetch(&parked, 1, __ATOMIC_SEQ_CST);
	while (stopped)
		cpu_relax();
	__atomic_sub_fetch(&parked, 1, __ATOMIC_SEQ_CST);
}

static void see_cap(struct cap cap)
{
	if (cap.type == WEIR_OBJ_MEM)
		((struct memobj *)cap.object)->found++;
}

static void see_task(struct task *task)
{
	struct handle_table *h = &task->handles;
	struct thread *t;

	audit_space(task->as);
	for (unsigned i = 0; i <= h->mask; i++)
		see_cap(h->slots[i].cap);
	LIST_FOREACH(t, &task->threads, task_link) {
		see_cap(t->cap);
		see_cap(t->other);
		at_rest &= t == current() || t->state == THREAD_WAITING;
	}
}

int64_t audit(void)
{
	struct task *t;

	if (!(params.check & CHECK_AUDIT))
		return -WEIR_EINVAL;
	irq_register(VEC_AUDIT, park);
	while (__atomic_exchange_n(&auditing, true, __ATOMIC_SEQ_CST))
		cpu_relax();
	irq_disable();
	__atomic_store_n(&stopped, true, __ATOMIC_SEQ_CST);
	ipi_send(sched_cpus(), VEC_AUDIT);
	while (parked < cpu_count() - 1)
		cpu_relax();
	at_rest = sched_all_idle();
	LIST_FOREACH(t, &tasks, all_link)
		see_task(t);
	bool exact = audit_end(at_rest);

	stat_add(WEIR_C_audits, 1);
	__atomic_store_n(&stopped, false, __ATOMIC_SEQ_CST);
	while (parked)
		cpu_relax();
	__atomic_store_n(&auditing, false, __ATOMIC_SEQ_CST);
	irq_enable();
	return exact ? (int64_t)stat_sum(WEIR_C_audits) : -WEIR_EBUSY;
}
