/*
 * mm.h - starting memory management, testing it, auditing it.
 */
#pragma once


#include "mm/account.h"

/* Frames, kernel heap, page tables' allocator, TLB debt, swap space: all
 * that needs no thread. Boot, one CPU, after the direct map is complete and
 * params are parsed. Panics when memory does not suffice. */
void mm_init(const struct bootinfo *bi);

/* The threads of mm: the swap device's and reclaim's. Boot, after the
 * scheduler can create threads. */
void mm_start(void);

/* testops.c, the testing aid behind sys_ctl(WEIR_CTL_TEST): does `op` (enum
 * weir_test); `arg` is an address of the caller's own space, or a count.
 * Returns bits of enum weir_test_pte, 0, or -WEIR_EINVAL (op), -WEIR_EFAULT
 * (no region there). Interrupts on, no lock held; does not sleep, but FLUSH
 * waits. */
int mm_test_op(struct aspace *as, uint64_t op, uint64_t arg);

/* audit.c: compares what is counted with what is there; what does not agree
 * is a panic that names it. The other CPUs stand still where they hold no
 * spinlock. The caller shows each space, and adds to obj->found for each
 * reference to an object that a task has; then it ends. */
void audit_space(struct aspace *as);
/* `exact`: nobody has references and charges in hand, unless a frame is on its
 * way. True: so it was, and all counts had to be equal. */
bool audit_end(bool exact);
