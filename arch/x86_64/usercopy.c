/*
 * usercopy.c - copying between the kernel and the current user space.
 *
 * Only the instructions between usercopy_begin and usercopy_end touch user
 * memory. SMAP is open only around them; a trap inside closes it, and its
 * return opens it again with the interrupted flags.
 */
#include "arch/x86_64/trap.h"

#include "arch/x86_64/panic.h"
#include "kernel/abi/weir.h"

extern char usercopy_begin[], usercopy_end[];

/* `user`: the one of the addresses that must be in the user half. A fault
 * that cannot be resolved ends the copy with a count left (usercopy_fail).
 * Not inlined, for its labels are there once. */
static __attribute__((noinline, noclone)) int copy(void *to, const void *from,
						   size_t n, uint64_t user)
{
	size_t left = n / 8;

	assert(!this_cpu()->locks_held);
	if (user > WEIR_USER_TOP || n > WEIR_USER_TOP - user)
		return -WEIR_EFAULT;
	if (cpu_features.smap)
		__asm__ volatile("stac" ::: "memory");
	__asm__ volatile("usercopy_begin: rep movsq; mov %3, %%rcx; rep movsb\n"
			 "usercopy_end:"
			 : "+D"(to), "+S"(from), "+c"(left)
			 : "r"(n % 8) : "memory");
	forbid_user_access();
	return left ? -WEIR_EFAULT : 0;
}

int copy_from_user(void *to, uint64_t from, size_t n)
{
	return copy(to, (const void *)from, n, from);
}

int copy_to_user(uint64_t to, const void *from, size_t n)
{
	return copy((void *)to, from, n, to);
}

bool usercopy_active(const struct trapframe *tf)
{
	return tf->rip >= (uint64_t)usercopy_begin &&
	       tf->rip < (uint64_t)usercopy_end;
}

void usercopy_fail(struct trapframe *tf)
{
	tf->rip = (uint64_t)usercopy_end;
}
