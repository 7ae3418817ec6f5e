/*
 * dev.h - what drivers in user space need: interrupts and I/O ports.
 */
#pragma once

#include "arch/x86_64/acpi.h"

/* Makes the object for an ISA interrupt below ACPI_ISA_IRQS; once, by init.c. The
 * reference is the caller's. */
void *irq_open(unsigned irq);

/* The right to the ports [first, first + count); NULL: no memory. */
void *ports_create(uint32_t first, uint32_t count);
