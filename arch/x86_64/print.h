/*
 * print.h - formatted text for the early console (COM1).
 *
 * Conversions: %s %d %u %x %p %% with the lengths l and z; for %u and %x a
 * least number of digits, as in %016lx. Any context, any locks held.
 */
#pragma once

#include <stdarg.h>

#include "arch/x86_64/string.h"

void kprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* As C's: always terminates, returns the length that it would have had. */
int ksnprintf(char *buf, size_t n, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int kvsnprintf(char *buf, size_t n, const char *fmt, va_list ap);
