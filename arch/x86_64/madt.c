/*
 * madt.c - the ACPI tables of this machine, read through device mappings.
 */
#include "arch/x86_64/madt.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/panic.h"
#include "arch/x86_64/print.h"
#include "boot/bootinfo.h"

#define LAPIC_PA 0xfee00000

static struct acpi_info info;
static bool read;

static const void *map(uint64_t pa, size_t len)
{
	return mmio_map(pa, len);
}

const struct acpi_info *madt(void)
{
	const char *wrong;

	if (read)
		return &info;
	read = true;
	if (!boot_info.has_rsdp) {
		kprintf("acpi: no tables, so this CPU stays alone\n");
		info.ncpus = 1;
		info.lapic_pa = LAPIC_PA;
		info.apic_id[0] = apic_read_id();
		return &info;
	}
	wrong = acpi_parse(boot_info.rsdp, map, &info);
	if (wrong)
		panic("acpi: %s", wrong);
	return &info;
}
