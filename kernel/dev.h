/*
 * dev.h - what drivers in user space need: interrupts and I/O ports.
 */
#pragma once

#include <stdint.h>

#define ISA_IRQS 16u

/* Makes the object for an ISA interrupt below ISA_IRQS; once, by init.c. The
 * reference is the caller's. */
void *irq_open(unsigned irq);

/* The right to the ports [first, first + count); NULL: no memory. */
void *ports_create(uint32_t first, uint32_t count);
