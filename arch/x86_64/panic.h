/*
 * panic.h - stopping when a promise is broken.
 *
 * panic() stops the other CPUs by NMI, prints what was violated and every
 * CPU's registers and backtrace on COM1, writes the record `panic` on COM2,
 * and ends QEMU with a status of its own. Any context, any locks held; the
 * first CPU to panic speaks, the others are stopped.
 */
#ifndef ARCH_PANIC_H
#define ARCH_PANIC_H

#include <stdarg.h>
#include <stdint.h>

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

/* The function that holds `addr`, and the offset in it; "?" if unknown. */
const char *ksym_name(uint64_t addr, uint64_t *offset);

/* For trap.c: the trap that panic() raises; an NMI, which returns unless it
 * was a panicking CPU's order to stop. */
_Noreturn void panic_called(struct trapframe *tf);
void panic_nmi(const struct trapframe *tf);

#endif
