/*
 * testops.h - the testing aid behind sys_ctl(WEIR_CTL_TEST).
 */
#ifndef MM_TESTOPS_H
#define MM_TESTOPS_H

#include <stdint.h>

struct aspace;

/* Does `op` (enum weir_test); `arg` is an address of the caller's own space,
 * or a count. Returns bits of enum weir_test_pte, 0, or -WEIR_EINVAL (op),
 * -WEIR_EFAULT (no region there). Interrupts on, no lock held; does not
 * sleep, but FLUSH waits. */
int mm_test_op(struct aspace *as, uint64_t op, uint64_t arg);

#endif
