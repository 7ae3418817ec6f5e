/*
 * apic.c - the local APICs and the messages between CPUs.
 *
 * Each CPU touches only its own APIC. In xAPIC mode a message takes two
 * register writes, made with interrupts off.
 */
#include "arch/x86_64/apic.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/ioapic.h"
#include "arch/x86_64/madt.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/trap.h"

#define MSR_APIC_BASE 0x1b
#define APIC_BASE_X2 (1u << 10)
#define APIC_BASE_ON (1u << 11)
#define MSR_X2APIC 0x800

enum apic_register {
	APIC_ID = 0x20,
	APIC_TPR = 0x80,
	APIC_EOI = 0xb0,
	APIC_SVR = 0xf0,
	APIC_ICR = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_LVT_ERROR = 0x370,
	APIC_TIMER_INITIAL = 0x380,
	APIC_TIMER_CURRENT = 0x390,
	APIC_TIMER_DIVIDE = 0x3e0,
};

#define SVR_ON 0x100
#define LVT_MASKED 0x10000
#define DIVIDE_16 3
#define ICR_BUSY (1u << 12)
#define ICR_ASSERT (1u << 14)
#define ICR_NMI (4u << 8)
#define ICR_INIT (5u << 8)
#define ICR_STARTUP (6u << 8)

#define PIC1 0x20
#define PIC2 0xa0

static volatile uint8_t *regs; /* xAPIC mode */

static uint32_t apic_read(enum apic_register r)
{
	if (cpu_features.x2apic)
		return rdmsr(MSR_X2APIC + (r >> 4));
	return *(volatile uint32_t *)(regs + r);
}

static void apic_write(enum apic_register r, uint32_t v)
{
	if (cpu_features.x2apic)
		wrmsr(MSR_X2APIC + (r >> 4), v);
	else
		*(volatile uint32_t *)(regs + r) = v;
}

/* Works before apic_init too. */
uint32_t apic_read_id(void)
{
	uint32_t r[4];

	if (cpu_features.x2apic && rdmsr(MSR_APIC_BASE) & APIC_BASE_X2)
		return rdmsr(MSR_X2APIC + (APIC_ID >> 4));
	cpuid(1, 0, r);
	return r[1] >> 24;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

/* Moves the old PICs' vectors out of the way and masks all their inputs. */
static void pic_off(void)
{
	outb(PIC1, 0x11);
	outb(PIC2, 0x11);
	outb(PIC1 + 1, VEC_PIC);
	outb(PIC2 + 1, VEC_PIC + 8);
	outb(PIC1 + 1, 4);
	outb(PIC2 + 1, 2);
	outb(PIC1 + 1, 1);
	outb(PIC2 + 1, 1);
	outb(PIC1 + 1, 0xff);
	outb(PIC2 + 1, 0xff);
}

void apic_init_cpu(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ON;

	wrmsr(MSR_APIC_BASE, base);
	if (cpu_features.x2apic)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2);
	this_cpu()->apic_id = apic_read_id();
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

void apic_init(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	pic_off();
	regs = mmio_map(madt()->lapic_pa, 4096);
	apic_init_cpu();
	ioapic_init(madt());
}

static void send(uint32_t apic_id, uint32_t command)
{
	uint64_t flags;

	if (cpu_features.x2apic) {
		/* Unlike a store to memory, this WRMSR does not wait for
		 * earlier stores, which the other CPU must see; LFENCE makes
		 * it wait for MFENCE. */
		__asm__ volatile("mfence; lfence" ::: "memory");
		wrmsr(MSR_X2APIC + (APIC_ICR >> 4),
		      (uint64_t)apic_id << 32 | command);
		return;
	}
	flags = irq_save();
	while (apic_read(APIC_ICR) & ICR_BUSY)
		cpu_relax();
	apic_write(APIC_ICR_HIGH, apic_id << 24);
	apic_write(APIC_ICR, command);
	irq_restore(flags);
}

void ipi_send(uint64_t cpumask, unsigned vector)
{
	uint64_t flags = irq_save();

	cpumask &= ~(1ull << cpu_id());
	for (; cpumask; cpumask &= cpumask - 1)
		send(cpus[__builtin_ctzll(cpumask)].apic_id,
		     ICR_ASSERT | vector);
	irq_restore(flags);
}

void ipi_send_nmi_others(void)
{
	if (!regs)
		return;
	for (unsigned i = 0; i < MAX_CPUS; i++)
		if (cpus[i].online && i != cpu_id())
			send(cpus[i].apic_id, ICR_ASSERT | ICR_NMI);
}

void apic_send_init(uint32_t apic_id)
{
	send(apic_id, ICR_ASSERT | ICR_INIT);
}

void apic_send_startup(uint32_t apic_id, unsigned page)
{
	send(apic_id, ICR_ASSERT | ICR_STARTUP | page);
}

void apic_timer_start(uint32_t count)
{
	apic_write(APIC_TIMER_INITIAL, count);
}

uint32_t apic_timer_left(void)
{
	return apic_read(APIC_TIMER_CURRENT);
}
