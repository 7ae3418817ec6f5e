/*
 * apic.h - local APICs (xAPIC or x2APIC) and IOAPICs.
 */
#pragma once

#include "arch/x86_64/acpi.h"
#include "arch/x86_64/cpu.h"

enum apic_register {
	APIC_ID = 0x20, APIC_TPR = 0x80,
	APIC_EOI = 0xb0, /* the trap code's; handlers need not */
	APIC_SVR = 0xf0, APIC_ICR = 0x300, APIC_ICR_HIGH = 0x310,
	APIC_LVT_TIMER = 0x320, APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360, APIC_LVT_ERROR = 0x370,
	APIC_TIMER_INITIAL = 0x380, /* 0: stops it. It counts down, at 1/16 */
	APIC_TIMER_CURRENT = 0x390, APIC_TIMER_DIVIDE = 0x3e0,
};

/* Messages, but for fixed interrupts, which are their vector. */
#define ICR_NMI (4u << 8)
#define ICR_INIT (5u << 8)
#define ICR_STARTUP (6u << 8) /* and a page's number */

/* Reads the MADT (panics when there is none, or a corrupt one), turns the old
 * PICs off, this CPU's APIC on, and masks the IOAPICs. First CPU, once. */
void apic_init(void);

/* Turns this CPU's APIC on; each CPU started later. */
void apic_init_cpu(void);

/* This CPU's registers. */
uint32_t apic_read(enum apic_register r);
void apic_write(enum apic_register r, uint32_t v);

/* One message to one APIC. Interrupts off. */
void apic_send(uint32_t apic_id, uint32_t message);

/* Sends the fixed interrupt `vector` to the CPUs of `cpumask`, but never to
 * this one. Any context; returns when the last is on its way. */
void ipi_send(uint64_t cpumask, unsigned vector);

/* ISA interrupt `irq` (0..15; MADT overrides apply) comes to the first CPU as
 * VEC_IRQ0 + irq, or is masked, as all are at first. false: no IOAPIC has
 * it. */
bool ioapic_set(unsigned irq, bool masked);
