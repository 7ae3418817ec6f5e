/*
 * test.h - sys_ctl(WEIR_CTL_TEST, op, va): looking at one PTE of the caller.
 *
 * The litmus test holds a window open that reclaim closes in microseconds:
 * it clears a PTE, sees what another CPU can still do through its TLB, and
 * flushes. Page faults mend a cleared PTE as they do any other. Privileged.
 */
#ifndef WEIR_ABI_TEST_H
#define WEIR_ABI_TEST_H

enum weir_test {
	/* Exchange the PTE for 0 and tell no TLB. Returns what it was. */
	WEIR_TEST_CLEAR = 1,
	/* Returns what the PTE is, and changes nothing. */
	WEIR_TEST_LOOK,
	/* Flush the caller's space on every CPU, as at the end of a batch. */
	WEIR_TEST_FLUSH,
};

/* What CLEAR and LOOK return: bits, 0 for a PTE that is not present. */
enum weir_test_pte {
	WEIR_PTE_PRESENT = 1 << 0,
	WEIR_PTE_WRITABLE = 1 << 1,
	WEIR_PTE_ACCESSED = 1 << 2,
	WEIR_PTE_DIRTY = 1 << 3,
};

#endif
