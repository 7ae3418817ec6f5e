/*
 * dev.h - what drivers in user space need: interrupts and I/O ports.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct irq;   /* this and struct ports begin with a struct object */
struct ntfn;
struct ports;

#define ISA_IRQS 16u

/* Makes the object for an ISA interrupt below ISA_IRQS; once, by init.c. The
 * reference is the caller's. */
struct irq *irq_open(unsigned irq);

/* From now on each interrupt signals `bit` of `n` (a reference is taken over)
 * and masks itself until irq_ack. 0 or -WEIR_EIO: no IOAPIC has it. */
int irq_bind(struct irq *i, struct ntfn *n, unsigned bit);
void irq_ack(struct irq *i);

/* The right to the ports [first, first + count); NULL: no memory. */
struct ports *ports_create(uint32_t first, uint32_t count);

/* Are these `count` ports, and not 0, all among its own? */
bool ports_hold(const struct ports *p, uint64_t first, uint64_t count);

/* Reads, or with `out` writes, 1, 2 or 4 bytes at `port`. 0, -WEIR_EINVAL:
 * size, -WEIR_ERIGHTS: out of the range. */
int ports_io(struct ports *p, uint64_t port, uint64_t bytes, uint32_t *value,
	     bool out);
