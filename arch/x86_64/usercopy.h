/*
 * usercopy.h - copying between the kernel and the current user space.
 *
 * The copies may fault, and so sleep: no spinlock held, interrupts on.
 */
#pragma once

#include "arch/x86_64/trap.h"

/* 0, or -WEIR_EFAULT when the user range is not in the user half or a page
 * of it cannot be used; then part of it may have been copied. */
int copy_from_user(void *to, uint64_t from, size_t n);
int copy_to_user(uint64_t to, const void *from, size_t n);

/* For kernel_page_fault, on a fault inside a copy that could not be resolved:
 * the copy goes on to return -WEIR_EFAULT. */
void usercopy_fail(struct trapframe *tf);

/* Is `tf` inside a copy? */
bool usercopy_active(const struct trapframe *tf);
