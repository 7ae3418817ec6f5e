/*
 * syscall.h - what the files of system calls share.
 *
 * Each call is a function sys_NAME(tf, cap) that takes its arguments from the
 * trap frame and returns the status for RAX. `cap` is what its first handle
 * names, where abi/syscalls.def gives that an object: checked, and held until
 * the call returns. Context: the calling thread, interrupts on, no lock; may
 * sleep.
 */
#pragma once

#include "kernel/ipc.h"

#define SYSCALL(nr, name, object, right, ...) \
	int64_t sys_##name(struct trapframe *tf, const struct cap *cap);
#include "kernel/abi/syscalls.def"

/* The arguments, in the ABI's order. */
#define ARG0(tf) ((tf)->rdi)
#define ARG1(tf) ((tf)->rsi)
#define ARG2(tf) ((tf)->rdx)
#define ARG3(tf) ((tf)->r10)
#define ARG4(tf) ((tf)->r8)
#define ARG5(tf) ((tf)->r9)

/* Looks a handle up. *held, the calling thread's `cap` or `other`, is put back
 * when the call returns. */
#define lookup(h, type, rights, held) \
	handle_lookup(h, type, rights, false, held)

/* Copies `n` bytes of text from the user, and ends them with a NUL; newlines
 * at the end go, other odd characters become '?'. 0, -WEIR_EINVAL (they do not
 * fit), -WEIR_EFAULT. */
int copy_text(char *text, size_t size, uint64_t from, uint64_t n);

/* Gives `object` to the caller as a handle; the reference goes with it, also
 * when it fails. NULL: -WEIR_ENOMEM. */
int64_t give_handle(enum weir_object type, void *object, unsigned rights);

/* ntfn.c: sets bits of an object of type WEIR_OBJ_NTFN and wakes who waits.
 * Any context. */
void ntfn_signal(void *ntfn, uint64_t bits);

/* dev.c: makes the object for an ISA interrupt below ACPI_ISA_IRQS, once; the
 * reference is the caller's. */
void *irq_open(unsigned irq);
/* The right to the ports [first, first + count); NULL: no memory. */
void *ports_create(uint32_t first, uint32_t count);
