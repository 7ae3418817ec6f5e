/*
 * cpu.c - making a CPU ours: descriptors, control registers, SYSCALL.
 */
#include "arch/x86_64/cpu.h"

#include "arch/x86_64/paging.h"
#include "arch/x86_64/trap.h"

#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_SFMASK 0xc0000084
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

#define EFER_SCE (1ull << 0)

#define CR4_PGE (1ull << 7)
#define CR4_OSFXSR (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP (1ull << 11)
#define CR4_PCIDE (1ull << 17)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)

/* Cleared on entry: TF IF DF IOPL NT AC */
#define SYSCALL_MASK 0x47700ull

#define FIRST_TSS 5 /* in the GDT */
#define IST_DF_BYTES 8192
#define IST_BYTES 4096

struct cpu cpus[MAX_CPUS];
unsigned cpus_running = 1;
struct cpu_features cpu_features;
bool pcid_on;

/* Null, kernel code and data (as in boot.asm), user data and code (SYSRET's
 * order), and a TSS for each CPU. */
static uint64_t gdt[FIRST_TSS + 2 * MAX_CPUS] = {
	0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cff3000000ffff,
	0x00affb000000ffff,
};

void syscall_entry(void);

static void detect(void)
{
	uint32_t r[4];

	cpuid(1, 0, r);
	cpu_features.pcid = r[2] >> 17 & 1;
	cpu_features.x2apic = r[2] >> 21 & 1;
	cpuid(0, 0, r);
	if (r[0] >= 7) { /* the highest leaf */
		cpuid(7, 0, r);
		cpu_features.smep = r[1] >> 7 & 1;
		cpu_features.invpcid = r[1] >> 10 & 1;
		cpu_features.smap = r[1] >> 20 & 1;
		cpu_features.umip = r[2] >> 2 & 1;
	}
	cpuid(0x80000001, 0, r);
	cpu_features.gib_pages = r[3] >> 26 & 1;
}

/* The segment registers stay: boot.asm has set them. */
static void load_descriptors(struct cpu *c)
{
	struct table_register gdtr = { sizeof(gdt) - 1, gdt };
	uint64_t tss = (uint64_t)&c->tss;
	unsigned at = FIRST_TSS + 2 * c->id;

	gdt[at] = (sizeof(c->tss) - 1) | (tss & 0xffffff) << 16 |
		  0x89ull << 40 | (tss >> 24 & 0xff) << 56;
	gdt[at + 1] = tss >> 32;
	__asm__ volatile("lgdt %0; ltr %w1"
			 :: "m"(gdtr), "r"(at * 8) : "memory");
}

/* CR0 is boot.asm's, CR3 has no tag yet: PCIDE insists on that. */
static void load_control(void)
{
	uint64_t cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	cr4 |= CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	cr4 |= cpu_features.smep ? CR4_SMEP : 0;
	cr4 |= cpu_features.smap ? CR4_SMAP : 0;
	cr4 |= cpu_features.umip ? CR4_UMIP : 0;
	cr4 |= pcid_on ? CR4_PCIDE : 0;
	__asm__ volatile("mov %0, %%cr4; fninit" :: "r"(cr4));
}

void pcid_enable(void)
{
	pcid_on = cpu_features.pcid;
	load_control();
}

void cpu_setup(unsigned id, uint64_t ist_top)
{
	struct cpu *c = &cpus[id];

	if (id == 0)
		detect();
	c->self = c;
	c->id = id;
	c->tss.ist[0] = ist_top;
	c->tss.ist[1] = ist_top - IST_DF_BYTES;
	c->tss.ist[2] = ist_top - IST_DF_BYTES - IST_BYTES;
	c->tss.iomap = sizeof(c->tss);
	load_descriptors(c);
	wrmsr(MSR_GS_BASE, (uint64_t)c);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	idt_load();
	load_control();
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	wrmsr(MSR_STAR, (uint64_t)KERNEL_CS << 32 |
			(uint64_t)(KERNEL_SS | 3) << 48);
	wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
	wrmsr(MSR_SFMASK, SYSCALL_MASK);
}
