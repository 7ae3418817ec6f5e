/* Host stand-in: see shim.h. */
#pragma once
#include "arch/x86_64/print.h"
_Noreturn void panic(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));
#undef assert
#define assert(x) \
	((x) ? (void)0 : panic("%s:%d: violated: %s", __FILE__, __LINE__, #x))
