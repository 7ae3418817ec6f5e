/*
 * usercopy.c - copying between the kernel and the current user space.
 *
 * SMAP is open only around usercopy(); a trap inside closes it, and its
 * return opens it again with the interrupted flags.
 */
#include "arch/x86_64/usercopy.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/panic.h"
#include "arch/x86_64/trap.h"
#include "kernel/abi/weir.h"

extern char usercopy_begin[], usercopy_end[], usercopy_fail[];
bool usercopy(void *to, const void *from, size_t n);

static bool user_range(uint64_t va, size_t n)
{
	return va <= WEIR_USER_TOP && n <= WEIR_USER_TOP - va;
}

static int copy(void *to, const void *from, size_t n)
{
	bool ok;

	assert(this_cpu()->spin_depth == 0);
	if (cpu_features.smap)
		__asm__ volatile("stac" ::: "memory");
	ok = usercopy(to, from, n);
	if (cpu_features.smap)
		__asm__ volatile("clac" ::: "memory");
	return ok ? 0 : -WEIR_EFAULT;
}

int copy_from_user(void *to, uint64_t from, size_t n)
{
	if (!user_range(from, n))
		return -WEIR_EFAULT;
	return copy(to, (const void *)from, n);
}

int copy_to_user(uint64_t to, const void *from, size_t n)
{
	if (!user_range(to, n))
		return -WEIR_EFAULT;
	return copy((void *)to, from, n);
}

bool usercopy_active(const struct trapframe *tf)
{
	return !trap_from_user(tf) && tf->rip >= (uint64_t)usercopy_begin &&
	       tf->rip < (uint64_t)usercopy_end;
}

bool usercopy_fixup(struct trapframe *tf)
{
	if (!usercopy_active(tf))
		return false;
	tf->rip = (uint64_t)usercopy_fail;
	return true;
}
