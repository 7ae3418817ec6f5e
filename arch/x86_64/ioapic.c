/*
 * ioapic.c - device interrupts.
 *
 * ioapic_lock guards the register pairs of all IOAPICs. Inputs start masked.
 */
#include "arch/x86_64/apic.h"

#include "arch/x86_64/acpi.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/spin.h"

#define IOREGSEL 0x00
#define IOWIN 0x10
#define REG_VERSION 1
#define REG_ENTRY(n) (0x10 + 2 * (n))
#define ENTRY_MASKED (1u << 16)
#define ENTRY_LEVEL (1u << 15)
#define ENTRY_LOW (1u << 13)
/* MPS INTI flags: polarity and trigger, 2 bits each */
#define INTI_LOW 3
#define INTI_LEVEL 3

static struct spinlock ioapic_lock = SPINLOCK_INIT("ioapic");
static struct {
	volatile uint8_t *regs;
	uint32_t gsi_base, inputs;
} ioapics[ACPI_MAX_IOAPICS];

static uint32_t read_reg(unsigned i, unsigned reg)
{
	*(volatile uint32_t *)(ioapics[i].regs + IOREGSEL) = reg;
	return *(volatile uint32_t *)(ioapics[i].regs + IOWIN);
}

static void write_reg(unsigned i, unsigned reg, uint32_t v)
{
	*(volatile uint32_t *)(ioapics[i].regs + IOREGSEL) = reg;
	*(volatile uint32_t *)(ioapics[i].regs + IOWIN) = v;
}

void ioapic_init(void)
{
	for (unsigned i = 0; i < acpi_info.nioapics; i++) {
		ioapics[i].regs = mmio_map(acpi_info.ioapic[i].pa, 4096);
		ioapics[i].gsi_base = acpi_info.ioapic[i].gsi_base;
		ioapics[i].inputs = (read_reg(i, REG_VERSION) >> 16 & 0xff)
				    + 1;
		for (unsigned n = 0; n < ioapics[i].inputs; n++)
			write_reg(i, REG_ENTRY(n), ENTRY_MASKED);
	}
}

/* Which IOAPIC and input serve the ISA interrupt `irq`. */
static bool find(unsigned irq, unsigned *i, unsigned *input)
{
	uint32_t gsi = acpi_info.isa[irq].gsi;

	for (*i = 0; *i < acpi_info.nioapics; (*i)++) {
		*input = gsi - ioapics[*i].gsi_base;
		if (gsi >= ioapics[*i].gsi_base && *input < ioapics[*i].inputs)
			return true;
	}
	return false;
}

bool ioapic_route(unsigned irq, unsigned vector)
{
	uint32_t low = ENTRY_MASKED | vector;
	unsigned i, input;

	if (!find(irq, &i, &input))
		return false;
	if ((acpi_info.isa[irq].flags & 3) == INTI_LOW)
		low |= ENTRY_LOW;
	if ((acpi_info.isa[irq].flags >> 2 & 3) == INTI_LEVEL)
		low |= ENTRY_LEVEL;
	spin_lock(&ioapic_lock);
	write_reg(i, REG_ENTRY(input), ENTRY_MASKED);
	write_reg(i, REG_ENTRY(input) + 1, cpus[0].apic_id << 24);
	write_reg(i, REG_ENTRY(input), low);
	spin_unlock(&ioapic_lock);
	return true;
}

void ioapic_set_mask(unsigned irq, bool masked)
{
	unsigned i, input;
	uint32_t low;

	if (!find(irq, &i, &input))
		return;
	spin_lock(&ioapic_lock);
	low = read_reg(i, REG_ENTRY(input)) & ~ENTRY_MASKED;
	write_reg(i, REG_ENTRY(input), low | (masked ? ENTRY_MASKED : 0));
	spin_unlock(&ioapic_lock);
}
