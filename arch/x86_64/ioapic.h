/*
 * ioapic.h - for apic.c only: finding the IOAPICs.
 */
#ifndef ARCH_IOAPIC_H
#define ARCH_IOAPIC_H

struct acpi_info;

/* Maps the IOAPICs of `info`, which must stay, and masks every input. */
void ioapic_init(const struct acpi_info *info);

#endif
