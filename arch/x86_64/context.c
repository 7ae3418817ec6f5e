/*
 * context.c - new contexts, FPU areas, FS base, kernel stack of a thread.
 */
#include "arch/x86_64/context.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/string.h"

#define MSR_FS_BASE 0xc0000100
#define FCW_DEFAULT 0x037f
#define MXCSR_DEFAULT 0x1f80

/* What context_switch pops, lowest address first. */
struct context {
	uint64_t r15, r14, r13, r12, rbx, rbp, rip;
};

void context_entry(void);

void *context_make(void *stack_top, void (*fn)(void *), void *arg)
{
	uint64_t top = (uint64_t)stack_top & ~15ull;
	struct context *c = (struct context *)top - 1;

	*c = (struct context){
		.r12 = (uint64_t)fn,
		.r13 = (uint64_t)arg,
		.rip = (uint64_t)context_entry,
	};
	return c;
}

void fpu_save(void *area)
{
	__asm__ volatile("fxsave64 (%0)" :: "r"(area) : "memory");
}

void fpu_restore(const void *area)
{
	__asm__ volatile("fxrstor64 (%0)" :: "r"(area) : "memory");
}

void fpu_init_area(void *area)
{
	memset(area, 0, FPU_AREA);
	((uint16_t *)area)[0] = FCW_DEFAULT;
	((uint32_t *)area)[6] = MXCSR_DEFAULT;
}

void set_fs_base(uint64_t base)
{
	wrmsr(MSR_FS_BASE, base);
}

void set_kernel_stack(void *top)
{
	struct cpu *c = this_cpu();

	c->kernel_rsp = (uint64_t)top;
	c->tss.rsp[0] = (uint64_t)top;
}
