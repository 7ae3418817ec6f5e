/*
 * apic.c - the local APICs, messages between CPUs, device interrupts.
 *
 * Each CPU touches only its own local APIC. In xAPIC mode a message takes two
 * register writes, made with interrupts off. ioapic_lock guards the register
 * pairs of all IOAPICs, whose inputs start masked.
 */
#include "arch/x86_64/apic.h"

#include "arch/x86_64/paging.h"
#include "arch/x86_64/spin.h"
#include "arch/x86_64/trap.h"
#include "boot/bootinfo.h"

#define MSR_APIC_BASE 0x1b
#define APIC_BASE_X2 (1u << 10)
#define APIC_BASE_ON (1u << 11)
#define MSR_X2APIC 0x800

#define SVR_ON 0x100
#define LVT_MASKED 0x10000
#define DIVIDE_16 3
#define ICR_BUSY (1u << 12)
#define ICR_ASSERT (1u << 14)

#define PIC1 0x20
#define PIC2 0xa0

struct acpi_info acpi_info;
static volatile uint8_t *regs; /* xAPIC mode */

uint32_t apic_read(enum apic_register r)
{
	if (cpu_features.x2apic)
		return rdmsr(MSR_X2APIC + (r >> 4));
	return *(volatile uint32_t *)(regs + r);
}

void apic_write(enum apic_register r, uint32_t v)
{
	if (cpu_features.x2apic)
		wrmsr(MSR_X2APIC + (r >> 4), v);
	else
		*(volatile uint32_t *)(regs + r) = v;
}

void apic_init_cpu(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ON;

	wrmsr(MSR_APIC_BASE, base);
	if (cpu_features.x2apic)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2);
	this_cpu()->apic_id = apic_read(APIC_ID) >>
			      (cpu_features.x2apic ? 0 : 24);
	/* First: an APIC that is off keeps its LVT entries masked. */
	apic_write(APIC_SVR, SVR_ON | VEC_SPURIOUS);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	apic_write(APIC_LVT_LINT1, ICR_NMI);
	apic_write(APIC_LVT_ERROR, LVT_MASKED);
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_16);
	apic_write(APIC_TIMER_INITIAL, 0);
	apic_write(APIC_LVT_TIMER, VEC_TIMER);
}

void apic_send(uint32_t apic_id, uint32_t message)
{
	if (cpu_features.x2apic) {
		/* Unlike a store to memory, this WRMSR does not wait for
		 * earlier stores, which the other CPU must see; LFENCE makes
		 * it wait for MFENCE. */
		__asm__ volatile("mfence; lfence" ::: "memory");
		wrmsr(MSR_X2APIC + (APIC_ICR >> 4),
		      (uint64_t)apic_id << 32 | ICR_ASSERT | message);
		return;
	}
	while (apic_read(APIC_ICR) & ICR_BUSY)
		cpu_relax();
	apic_write(APIC_ICR_HIGH, apic_id << 24);
	apic_write(APIC_ICR, ICR_ASSERT | message);
}

void ipi_send(uint64_t cpumask, unsigned vector)
{
	uint64_t flags = irq_save();

	cpumask &= ~(1ull << cpu_id());
	for (; cpumask; cpumask &= cpumask - 1)
		apic_send(cpus[__builtin_ctzll(cpumask)].apic_id, vector);
	irq_restore(flags);
}

/* ---- IOAPICs ------------------------------------------------------------- */

#define IOREGSEL 0 /* which register IOWIN is; in words */
#define IOWIN 4
#define REG_VERSION 1
#define REG_ENTRY(n) (0x10 + 2 * (n))
#define ENTRY_LOW (1u << 13)
#define ENTRY_LEVEL (1u << 15)
#define ENTRY_MASKED (1u << 16)

static struct spinlock ioapic_lock = SPINLOCK_INIT(ioapic);
static struct ioapic {
	volatile uint32_t *regs;
	uint32_t gsi_base, inputs;
} ioapics[ACPI_MAX_IOAPICS];

static void write_reg(const struct ioapic *io, unsigned reg, uint32_t v)
{
	io->regs[IOREGSEL] = reg;
	io->regs[IOWIN] = v;
}

static void ioapic_init(void)
{
	for (unsigned i = 0; i < acpi_info.nioapics; i++) {
		struct ioapic *io = &ioapics[i];

		io->regs = mmio_map(acpi_info.ioapic[i].pa, 4096);
		io->gsi_base = acpi_info.ioapic[i].gsi_base;
		io->regs[IOREGSEL] = REG_VERSION;
		io->inputs = (io->regs[IOWIN] >> 16 & 0xff) + 1;
		for (unsigned n = 0; n < io->inputs; n++)
			write_reg(io, REG_ENTRY(n), ENTRY_MASKED);
	}
}

bool ioapic_set(unsigned irq, bool masked)
{
	uint32_t gsi = acpi_info.isa[irq].gsi, low = VEC_IRQ0 + irq;
	unsigned flags = acpi_info.isa[irq].flags; /* 2 bits each, 3: yes */

	low |= (flags & 3) == 3 ? ENTRY_LOW : 0;
	low |= (flags >> 2 & 3) == 3 ? ENTRY_LEVEL : 0;
	low |= masked ? ENTRY_MASKED : 0;
	for (unsigned i = 0; i < acpi_info.nioapics; i++) {
		uint32_t input = gsi - ioapics[i].gsi_base;

		if (gsi < ioapics[i].gsi_base || input >= ioapics[i].inputs)
			continue;
		spin_lock(&ioapic_lock);
		write_reg(&ioapics[i], REG_ENTRY(input) + 1,
			  cpus[0].apic_id << 24);
		write_reg(&ioapics[i], REG_ENTRY(input), low);
		spin_unlock(&ioapic_lock);
		return true;
	}
	return false;
}

/* ---- the first CPU ------------------------------------------------------- */

/* Moves an old PIC's vectors out of the way and masks all its inputs. */
static void pic_off(uint16_t port, uint8_t vector, uint8_t cascade)
{
	outb(port, 0x11);
	outb(port + 1, vector);
	outb(port + 1, cascade);
	outb(port + 1, 1);
	outb(port + 1, 0xff);
}

void apic_init(void)
{
	const char *wrong = acpi_parse(boot_info.rsdp, mmio_map, &acpi_info);

	if (wrong)
		panic("acpi: %s", wrong);
	pic_off(PIC1, VEC_PIC, 4);
	pic_off(PIC2, VEC_PIC + 8, 2);
	regs = mmio_map(acpi_info.lapic_pa, 4096);
	apic_init_cpu();
	ioapic_init();
}
