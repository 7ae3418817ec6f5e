/*
 * check.h - what a test program counts: CHECK(x) prints a line for what is
 * not so. Any thread may.
 */
#pragma once

#include "user/lib/weir_user.h"

static unsigned checks, failures;

static inline void check(bool good, const char *what, const char *file,
			 int line)
{
	__atomic_add_fetch(&checks, 1, __ATOMIC_RELAXED);
	if (good)
		return;
	__atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
	printf("%s:%d: not so: %s\n", file, line, what);
}

#define CHECK(x) check(x, #x, __FILE_NAME__, __LINE__)
