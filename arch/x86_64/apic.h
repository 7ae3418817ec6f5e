/*
 * apic.h - local APICs (xAPIC or x2APIC) and IOAPICs.
 */
#ifndef ARCH_APIC_H
#define ARCH_APIC_H

#include <stdbool.h>
#include <stdint.h>

struct bootinfo;

/* Reads the MADT, turns the old PICs off, this CPU's APIC on, and masks the
 * IOAPICs. First CPU, once (again: no effect). */
void apic_init(void);

/* Turns this CPU's APIC on; each CPU started later. */
void apic_init_cpu(void);

/* End of interrupt. The trap code does it; handlers need not. */
void apic_eoi(void);

/* Sends the fixed interrupt `vector` to the CPUs of `cpumask`, but never to
 * this one. Any context; returns when the last is on its way. */
void ipi_send(uint64_t cpumask, unsigned vector);

/* Sends an NMI to every CPU that runs but this one. Panic only. */
void ipi_send_nmi_others(void);

/* INIT and start-up messages, to an APIC id. */
void apic_send_init(uint32_t apic_id);
void apic_send_startup(uint32_t apic_id, unsigned page);

uint32_t apic_read_id(void);

/* ISA interrupt `irq` (0..15; MADT overrides apply) or above: global number,
 * to `vector` on `cpu`. Left masked. false: no IOAPIC has it. */
bool ioapic_route(unsigned irq, unsigned vector, unsigned cpu);
void ioapic_mask(unsigned irq);
void ioapic_unmask(unsigned irq);

/* The APIC timer, for time.c: raw counter (divided by 16). */
void apic_timer_start(uint32_t count);
uint32_t apic_timer_left(void);

#endif
