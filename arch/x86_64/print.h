/*
 * print.h - what the kernel says: formatted text on COM1, the early console,
 * and records on COM2, the test protocol.
 *
 * Output only, by polling. User space's console server owns COM1's input. Any
 * context, any locks held; what is written at once stays together.
 * Conversions: %s %d %u %x %p %% with the lengths l and z; for %u and %x a
 * least number of digits, as in %016lx.
 */
#pragma once

#include <stdarg.h>

#include "arch/x86_64/string.h"

void kprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* As C's: always terminates, returns the length that it would have had. */
int ksnprintf(char *buf, size_t n, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int kvsnprintf(char *buf, size_t n, const char *fmt, va_list ap);

#define LONGEST_LINE 512 /* of kprintf, which cuts what is longer */

/* ---- uart.c -------------------------------------------------------------- */

/* Both ports: 115200 baud, 8 bits, no interrupts. */
void uart_init(void);

/* Writes bytes to COM1, each newline as CR LF. */
void com1_write(const char *buf, size_t n);

/* Writes one record to COM2, if there is one: "@weir KIND LENGTH\n", the
 * bytes, "\n". */
void com2_record(const char *kind, const void *bytes, size_t n);

/* Waits until both ports have sent all that was written to them. */
void uart_drain(void);

/* For panic: the locks are free, whoever held them. */
void uart_break_locks(void);
