/*
 * sys_system.c - the system calls on records, information, control.
 */
#include "kernel/abi/test.h"
#include "kernel/syscall.h"
#include "mm/kmalloc.h"
#include "mm/mm.h"
#include "mm/limbo.h"
#include "mm/swap.h"

#define KLOG_MAX 256u
#define REPORT_MAX 4096u

/* ---- records ------------------------------------------------------------- */

int64_t sys_klog(struct trapframe *tf, const struct cap *cap)
{
	char text[KLOG_MAX + 1];
	int status = copy_text(text, sizeof(text), ARG0(tf), ARG1(tf));

	if (!status)
		kprintf("%s: %s\n", current()->task->name, text);
	return status;
}

int64_t sys_report(struct trapframe *tf, const struct cap *cap)
{
	uint64_t kind = ARG0(tf), n = ARG2(tf);

	if (kind < WEIR_REPORT_OUT || kind > WEIR_REPORT_NOTE ||
	    n > REPORT_MAX)
		return -WEIR_EINVAL;
	char *bytes = kzalloc(REPORT_MAX);
	if (!bytes)
		return -WEIR_ENOMEM;
	int status = copy_from_user(bytes, ARG1(tf), n);
	if (!status)
		com2_record(kind == WEIR_REPORT_OUT ? "out" : "note", bytes,
			    n);
	kfree(bytes);
	return status;
}

int64_t sys_clock(struct trapframe *tf, const struct cap *cap)
{
	return time_ns();
}

/* ---- information --------------------------------------------------------- */

/* Copies what was filled to the user: bytes, or an error. */
static int64_t give_info(const struct trapframe *tf, const void *from,
			 uint64_t n)
{
	if (ARG3(tf) < n)
		return -WEIR_EINVAL;
	int status = copy_to_user(ARG2(tf), from, n);
	return status ? status : (int64_t)n;
}

int64_t sys_sys_info(struct trapframe *tf, const struct cap *cap)
{
	uint64_t topic = ARG0(tf), index = ARG1(tf), counters[WEIR_NCOUNTERS];
	struct weir_fault_point point;
	struct weir_task task;

	if (topic == WEIR_INFO_TASK && task_info(index, &task))
		return give_info(tf, &task, sizeof(task));
	if (topic == WEIR_INFO_FAULT && inject_describe(index, &point))
		return give_info(tf, &point, sizeof(point));
	if (index) /* of all others there is one */
		return -WEIR_EINVAL;
	if (topic == WEIR_INFO_CMDLINE)
		return give_info(tf, params.run, strlen(params.run) + 1);
	if (topic == WEIR_INFO_FAULTS)
		return give_info(tf, params.fault, strlen(params.fault) + 1);
	if (topic == WEIR_INFO_COUNTERS) {
		for (unsigned c = 0; c < WEIR_NCOUNTERS; c++)
			counters[c] = stat_sum(c);
		return give_info(tf, counters, sizeof(counters));
	}
	if (topic != WEIR_INFO_SYSTEM)
		return -WEIR_EINVAL;
	lru_settle();
	const struct weir_system system = {
		.cpus = cpu_count(),
		.policy = tlb_policy - tlb_policies,
		.batch = reclaim_batch(),
		.delay_us = params.delay_us,
		.frames_total = nr_frames(),
		.frames_free = nr_free() + limbo_frames(),
		.frames_reserve = watermarks.high,
		.frames_anon = lru_frames(),
		.swap_total = swap_slots_total(),
		.swap_free = swap_slots_free(),
		.seed = params.seed,
		.swap_virtio = params.swap_virtio,
		.readahead = params.readahead,
		.ranged = params.ranged,
	};
	return give_info(tf, &system, sizeof(system));
}

/* ---- control ------------------------------------------------------------- */

static int64_t ctl_swap(uint64_t mem)
{
	struct cap *cap = &current()->other;

	if (!params.swap_virtio)
		return -WEIR_EPERM;
	int status = lookup(mem, WEIR_OBJ_MEM, WEIR_R_MANAGE, cap);
	return status ? status : swap_attach(cap->object);
}

int64_t sys_sys_ctl(struct trapframe *tf, const struct cap *cap)
{
	uint64_t op = ARG0(tf), arg = ARG1(tf);
	char text[4];

	if (!current()->task->privileged)
		return -WEIR_EPERM;
	if (op == WEIR_CTL_POWEROFF && arg <= 99) {
		com2_record("exit", text,
			    ksnprintf(text, sizeof(text), "%lu", arg));
		power_off(arg);
	} else if (op == WEIR_CTL_POLICY && arg < WEIR_NPOLICIES) {
		tlb_policy_set(arg);
		if (!PLANTED(Z9))
			reclaim_drain();
	} else if (op == WEIR_CTL_BATCH && arg && arg <= RECLAIM_MAX_BATCH) {
		reclaim_set_batch(arg);
	} else if (op == WEIR_CTL_DELAY && arg <= DELAY_MAX_US) {
		__atomic_store_n(&params.delay_us, arg, __ATOMIC_RELAXED);
	} else if (op == WEIR_CTL_READAHEAD && arg <= READAHEAD_MAX) {
		__atomic_store_n(&params.readahead, arg, __ATOMIC_RELAXED);
	} else if (op == WEIR_CTL_RANGED && arg <= RANGED_MAX) {
		__atomic_store_n(&params.ranged, arg, __ATOMIC_RELAXED);
	} else if (op == WEIR_CTL_SWAP) {
		return ctl_swap(arg);
	} else if (op == WEIR_CTL_RECLAIM) {
		return reclaim_some(arg);
	} else if (op == WEIR_CTL_FAULT) {
		return inject_set(arg, ARG2(tf));
	} else if (op == WEIR_CTL_TEST && arg == WEIR_TEST_AUDIT) {
		return audit();
	} else if (op == WEIR_CTL_TEST && arg == WEIR_TEST_FUSE) {
		current()->task->fuse = ARG2(tf);
		task_hold(current()->task);
	} else if (op == WEIR_CTL_TEST) {
		return mm_test_op(current()->as, arg, ARG2(tf));
	} else {
		return -WEIR_EINVAL;
	}
	return 0;
}
