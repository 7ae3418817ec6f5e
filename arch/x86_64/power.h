/*
 * power.h - ending the machine.
 */
#ifndef ARCH_POWER_H
#define ARCH_POWER_H

#define POWER_PANIC 0x7fu

/* Ends QEMU with exit code 2 * status + 1 where it has isa-debug-exit at
 * port 0xf4; else powers off by ACPI's usual ports; else halts. What was
 * written to the serial ports is sent before. */
_Noreturn void power_off(unsigned status);

#endif
