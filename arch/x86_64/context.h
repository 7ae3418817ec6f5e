/*
 * context.h - switching threads: stacks, FPU state, FS base (trap.asm).
 */
#pragma once

#include "arch/x86_64/cpu.h"

/* What context_switch pops, lowest address first. */
struct context {
	uint64_t r15, r14, r13, r12, rbx, rbp, rip;
};

/* Saves the callee-saved registers on this stack and its pointer in
 * *save_sp; goes on with the context at load_sp. Interrupts off. */
void context_switch(void **save_sp, void *load_sp);

/* Makes *c a context for context_switch, any number of times, that calls
 * sched_arrive(true), fn(arg) and thread_exit() on the empty stack that ends at
 * stack_top, a multiple of 16. It need not lie on the stack. */
void context_entry(void);
static inline void context_make(struct context *c, void *stack_top,
				void (*fn)(void *), void *arg)
{
	*c = (struct context){ .rbx = (uint64_t)stack_top,
			       .r12 = (uint64_t)fn, .r13 = (uint64_t)arg,
			       .rip = (uint64_t)context_entry };
}

static inline void fpu_save(void *area)
{
	__asm__ volatile("fxsave64 %0" : "=m"(*(uint8_t (*)[512])area));
}

static inline void fpu_restore(const void *area)
{
	__asm__ volatile("fxrstor64 %0" :: "m"(*(const uint8_t (*)[512])area));
}

/* What a thread begins with, in an area of zeros: no exception traps. */
static inline void fpu_init(uint8_t area[512])
{
	*(uint16_t *)area = 0x037f;         /* FCW */
	*(uint32_t *)(area + 24) = 0x1f80; /* MXCSR */
}

/* The user's FS base, on this CPU, now. */
static inline void set_fs_base(uint64_t base)
{
	wrmsr(0xc0000100, base);
}
