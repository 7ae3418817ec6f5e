/* Host stand-in: see shim.h. There is one thread, of no program. */
#pragma once
struct aspace;
struct thread {
	struct aspace *as;
};
extern struct thread shim_thread;
static inline struct thread *current(void) { return &shim_thread; }
