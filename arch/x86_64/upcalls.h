/*
 * upcalls.h - what the architecture calls and kernel/ defines.
 */
#pragma once

#include "arch/x86_64/trap.h"
#include "boot/bootinfo.h"

/* The first CPU, on its boot stack: own page tables, descriptors and COM1
 * are up; interrupts off; no APIC, no time, no frame allocator yet. */
_Noreturn void kernel_main(void);

/* Every other CPU, from smp_start, on its own guarded stack, interrupts off,
 * its APIC on. */
_Noreturn void kernel_ap_main(void);

/* Interrupts on. The call is in *tf, and so go its results. */
void kernel_syscall(struct trapframe *tf);

/* At a user address, from user mode, or from the kernel inside usercopy (see
 * usercopy_fail). Interrupts as they were at the fault. */
void kernel_page_fault(struct trapframe *tf, uint64_t cr2);

/* Any other exception in user mode, and a return address out of the user
 * half. Interrupts on. */
void kernel_user_exception(struct trapframe *tf);

/* Before every return to user mode, interrupts off: reschedule, catch up
 * with TLB flushes. Interrupts off again when it returns. */
void kernel_user_return(struct trapframe *tf);
