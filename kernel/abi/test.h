/*
 * test.h - sys_ctl(WEIR_CTL_TEST, op, arg2): aids for tests. Privileged.
 *
 * The litmus test holds a window open that reclaim closes in microseconds:
 * it clears a PTE, sees what another CPU can still do through its TLB, and
 * flushes. Page faults mend a cleared PTE as they do any other. Other tests
 * need a panic that nobody has to fear.
 */
#pragma once

enum weir_test {
	/* Exchange the PTE at arg2 for 0, tell no TLB. Returns what it was. */
	WEIR_TEST_CLEAR = 1,
	/* Returns what the PTE at arg2 is, and changes nothing. */
	WEIR_TEST_LOOK,
	/* Flush the caller's space on every CPU, as at the end of a batch. */
	WEIR_TEST_FLUSH,
	/* The kernel panics with WEIR_TEST_SENTENCE. */
	WEIR_TEST_PANIC,
	/* The calling task is killed, with status WEIR_TEST_FUSE, when it
	 * makes its n-th system call from now, by any thread. arg2: 2n: then,
	 * and the call has no effect; 2n + 1: once that has returned. */
	WEIR_TEST_FUSE,
	/* The calling task becomes a system task (arg2: 1), or none (0). */
	WEIR_TEST_SYSTEM,
	/* With check=audit, makes an audit; returns how many were made, or
	 * -WEIR_EBUSY: something was under way, so that only bounds of
	 * references were compared. */
	WEIR_TEST_AUDIT,
	/* Loses a slot of the swap device, which an audit finds. */
	WEIR_TEST_LEAK,
	/* arg2: enum weir_point; HOLD: and 256 * (CPU + 1), or less: any CPU.
	 * From now on the first CPU that comes to the point stays there, with
	 * whatever it holds. HELD: 1 if one is there. RELEASE: it goes on, and
	 * nobody is held there any more. */
	WEIR_TEST_HOLD,
	WEIR_TEST_HELD,
	WEIR_TEST_RELEASE,
	/* Takes two spinlocks in the wrong order, which is a panic. */
	WEIR_TEST_LOCK_ORDER,
};

/* Places at which a window between two steps of the protocol is open. */
#define WEIR_POINTS(X)                                                \
	X(unmap, "a PTE is exchanged, its debt not recorded")         \
	X(clear, "an unmap has cleared PTEs, and owes nothing yet")   \
	X(flush, "a round begins")                                    \
	X(handler, "the target has the request, and still its TLB")   \
	X(ack, "all have acknowledged, the debt is not retired")      \
	X(clone, "W bits are cleared for a clone, nothing flushed")   \
	X(io, "fence 1 is passed, IO not begun")                      \
	X(copy, "a swap IO has copied half of a page")                \
	X(read, "a page is read, its entry not yet looked at again")  \
	X(free, "fence 2 is passed, nothing freed")                   \
	X(cr3, "this CPU is in the space's set, CR3 not loaded")      \
	X(loaded, "CR3 is loaded, the old space's bit not cleared")
#define WEIR_POINT(name, where) WEIR_POINT_##name,
enum weir_point { WEIR_POINTS(WEIR_POINT) WEIR_NPOINTS };

#define WEIR_TEST_SENTENCE "a test asked for this panic"

/* What CLEAR and LOOK return: these bits of the PTE, where the hardware has
 * them; 0 for one that is not present. */
enum weir_test_pte {
	WEIR_PTE_PRESENT = 1 << 0,
	WEIR_PTE_WRITABLE = 1 << 1,
	WEIR_PTE_DIRTY = 1 << 6,
};
