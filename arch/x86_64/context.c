/*
 * context.c - new contexts and FPU areas.
 */
#include "arch/x86_64/context.h"

#include "arch/x86_64/string.h"

#define FCW_DEFAULT 0x037f
#define MXCSR_DEFAULT 0x1f80

void context_entry(void);

void context_make(struct context *c, void *stack_top, void (*fn)(void *),
		  void *arg)
{
	*c = (struct context){ .rbx = (uint64_t)stack_top,
			       .r12 = (uint64_t)fn, .r13 = (uint64_t)arg,
			       .rip = (uint64_t)context_entry };
}

void fpu_init_area(void *area)
{
	memset(area, 0, FPU_AREA);
	((uint16_t *)area)[0] = FCW_DEFAULT;
	((uint32_t *)area)[6] = MXCSR_DEFAULT;
}
