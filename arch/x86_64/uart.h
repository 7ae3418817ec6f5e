/*
 * uart.h - COM1, the early console, and COM2, the test protocol.
 *
 * Output only, by polling. User space's console server owns COM1's input.
 */
#pragma once

#include <stddef.h>

/* Both ports: 115200 baud, 8 bits, no interrupts. */
void uart_init(void);

/* Writes bytes to COM1, each newline as CR LF. Any context; what is written
 * at once stays together. */
void com1_write(const char *buf, size_t n);

/* Writes one record to COM2, if there is one: "@weir KIND LENGTH\n", the
 * bytes, "\n". Any context; whole records never mix. */
void com2_record(const char *kind, const void *bytes, size_t n);

/* Waits until both ports have sent all that was written to them. */
void uart_drain(void);

/* For panic: the locks are free, whoever held them. */
void uart_break_locks(void);
