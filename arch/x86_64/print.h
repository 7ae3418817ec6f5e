/*
 * print.h - formatted text for the early console (COM1).
 *
 * Conversions: %s %c %d %u %x %p %% with the lengths l, ll and z, a width,
 * and the flags 0 and -; %.*s and %.Ns too. Any context, any locks held.
 */
#ifndef ARCH_PRINT_H
#define ARCH_PRINT_H

#include <stdarg.h>
#include <stddef.h>

void kprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void kvprintf(const char *fmt, va_list ap);

/* As C's: always terminates, returns the length that it would have had. */
int ksnprintf(char *buf, size_t n, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int kvsnprintf(char *buf, size_t n, const char *fmt, va_list ap);

/* For panic: print from now on without taking the lock. */
void print_break_lock(void);

#endif
