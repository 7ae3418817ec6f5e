/*
 * madt.h - for arch only: what the MADT of this machine says.
 */
#ifndef ARCH_MADT_H
#define ARCH_MADT_H

#include "arch/x86_64/acpi.h"

/* The MADT, read on the first call. Without one: this CPU alone, its APIC
 * at the usual address, no IOAPIC; with a corrupt one: panic. */
const struct acpi_info *madt(void);

#endif
