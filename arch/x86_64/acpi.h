/*
 * acpi.h - CPUs and interrupt controllers from the ACPI tables.
 *
 * Pure: also compiles on the host, over tables of its choice. Every length
 * and checksum is checked before what it covers is used.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ACPI_MAX_CPUS 64
#define ACPI_MAX_IOAPICS 8
#define ACPI_ISA_IRQS 16
#define ACPI_LONGEST_TABLE (1u << 20)

struct acpi_info {
	uint64_t lapic_pa;
	unsigned ncpus; /* enabled ones found, which may be more than fit */
	uint32_t apic_id[ACPI_MAX_CPUS];
	unsigned nioapics;
	struct acpi_ioapic {
		uint32_t pa, gsi_base;
	} ioapic[ACPI_MAX_IOAPICS];
	/* ISA interrupt -> global number, and MPS INTI flags (0: ISA's) */
	struct acpi_isa {
		uint32_t gsi;
		uint16_t flags;
	} isa[ACPI_ISA_IRQS];
};

/* This machine's, read by apic_init. */
extern struct acpi_info acpi_info;

/* Makes [pa, pa + len) readable; NULL if that cannot be. */
typedef void *acpi_map_fn(uint64_t pa, size_t len);

/* Reads the MADT that `rsdp` (36 bytes) leads to into *out. NULL, or a
 * sentence on what is wrong. */
const char *acpi_parse(const uint8_t *rsdp, acpi_map_fn *map,
		       struct acpi_info *out);
