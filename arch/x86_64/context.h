/*
 * context.h - switching threads: stacks, FPU state, FS base.
 */
#ifndef ARCH_CONTEXT_H
#define ARCH_CONTEXT_H

#include <stdint.h>

/* Saves the callee-saved registers on this stack and its pointer in
 * *save_sp; goes on with the context at load_sp. Interrupts off. */
void context_switch(void **save_sp, void *load_sp);

/* A context for context_switch that calls fn(arg), which never returns, on
 * the empty stack that ends at stack_top. */
void *context_make(void *stack_top, void (*fn)(void *), void *arg);

#define FPU_AREA 512 /* bytes, aligned to 16 */

void fpu_save(void *area);
void fpu_restore(const void *area);
void fpu_init_area(void *area);

/* The user's FS base, on this CPU, now. */
void set_fs_base(uint64_t base);

/* The stack that traps and system calls from user mode start on. */
void set_kernel_stack(void *top);

#endif
