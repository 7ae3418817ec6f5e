/*
 * trap.h - traps, interrupts, the way back to user mode, copies of its memory.
 *
 * From user mode every trap and system call leaves a struct trapframe at the
 * top of the thread's kernel stack, and goes back through
 * kernel_user_return. Handlers of interrupts run with interrupts off; the
 * trap code sends the EOI itself.
 */
#pragma once

#include "arch/x86_64/cpu.h"

#define KERNEL_CS 0x08
#define KERNEL_SS 0x10
#define USER_SS 0x1b
#define USER_CS 0x23

enum vector {
	VEC_NMI = 2, VEC_BP = 3, VEC_DF = 8, VEC_GP = 13, VEC_PF = 14,
	VEC_MC = 18,
	VEC_IRQ0 = 0x20, /* external interrupt n: VEC_IRQ0 + n */
	VEC_TIMER = 0xe0, VEC_TLB, VEC_RESCHED, VEC_AUDIT,
	VEC_PIC = 0xf0, /* the old PICs, masked, where nobody meets them */
	VEC_PANIC = 0xfe, /* by INT, in panic() */
	VEC_SPURIOUS = 0xff,
	VEC_SYSCALL = 0x100, /* in tf->vector only */
};

/* tf->error of a page fault. */
enum pf_error { PF_WRITE = 2, PF_RESERVED = 8, PF_EXEC = 16 };

/* The assembly knows the order. */
struct trapframe {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

static inline bool trap_from_user(const struct trapframe *tf)
{
	return tf->cs & 3;
}

/* What SYSRET must not see: TF, NT and RF, and what user mode cannot set. */
#define RFLAGS_NOT_SYSRET (~0x240ed7ull)
#define RFLAGS_RF (1ull << 16)
#define USER_END 0x0000800000000000ull

/* May a frame that SYSCALL made be left by SYSRET as it is? */
static inline bool sysret_fits(const struct trapframe *tf)
{
	return !(tf->rip >> 47) && !(tf->rflags & RFLAGS_NOT_SYSRET);
}

/* Sets the handler of `vector` (VEC_IRQ0 and up; NULL: none). The handler
 * runs on the interrupted thread's stack, interrupts off, may not sleep.
 * A level-triggered device's handler masks it before it returns. */
void irq_register(unsigned vector, void (*handler)(struct trapframe *tf));

/* Enters user mode with the registers of `tf`, after kernel_user_return.
 * `tf` lies on this thread's kernel stack; segments and flags are forced to
 * user ones. Restores every register. */
_Noreturn void trap_return(struct trapframe *tf);

/* Builds the IDT (once), loads it (each CPU). */
void idt_init(void);
void idt_load(void);

/* SMAP is on from here. */
static inline void forbid_user_access(void)
{
	if (cpu_features.smap)
		__asm__ volatile("clac" ::: "memory");
}

/* ---- usercopy.c: between the kernel and the current user space ---------- */

/* 0, or -WEIR_EFAULT when the user range is not in the user half or a page
 * of it cannot be used; then part of it may have been copied. They may fault,
 * and so sleep: no spinlock held, interrupts on. */
int copy_from_user(void *to, uint64_t from, size_t n);
int copy_to_user(uint64_t to, const void *from, size_t n);

/* For kernel_page_fault, on a fault inside a copy that could not be resolved:
 * the copy goes on to return -WEIR_EFAULT. */
void usercopy_fail(struct trapframe *tf);

/* Is `tf`, which is not from user mode, inside a copy? */
bool usercopy_active(const struct trapframe *tf);

/* ---- what kernel/ defines, and arch/ calls ------------------------------ */

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
