/*
 * panic.h - stopping: when a promise is broken, or when all is done.
 *
 * panic() stops the other CPUs by NMI, prints what was violated and every
 * CPU's registers and backtrace on COM1, writes the record `panic` on COM2,
 * and ends QEMU with a status of its own. Any context, any locks held; the
 * first CPU to panic speaks, the others are stopped.
 */
#pragma once

#include "arch/x86_64/print.h"

struct trapframe;

_Noreturn void panic(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), cold));

/* A panic whose registers are those of `tf`, where a trap found them. */
_Noreturn void panic_trap(const struct trapframe *tf, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), cold));

/* An invariant: name it in a comment or in the expression. */
#define assert(x)                                                         \
	((x) ? (void)0 : panic("%s:%d: violated: %s", __FILE__, __LINE__, \
			       #x))

/* For trap.c: the trap that panic() raises; an NMI, which returns unless it
 * was a panicking CPU's order to stop. */
_Noreturn void panic_called(struct trapframe *tf);
void panic_nmi(const struct trapframe *tf);

#define POWER_PANIC 0x7fu

/* Ends QEMU with exit code 2 * status + 1 where it has isa-debug-exit at
 * port 0xf4; else powers off by ACPI's usual ports; else halts. What was
 * written to the serial ports is sent before. */
_Noreturn void power_off(unsigned status);
