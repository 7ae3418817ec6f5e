/*
 * cpu.c - making a CPU ours: descriptors, control registers, SYSCALL.
 */
#include "arch/x86_64/cpu.h"

#include "arch/x86_64/trap.h"

#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_SFMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

#define EFER_SCE (1ull << 0)
#define EFER_NXE (1ull << 11)

#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)

#define CR4_PGE (1ull << 7)
#define CR4_OSFXSR (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP (1ull << 11)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)

/* Cleared on entry: TF IF DF IOPL NT AC */
#define SYSCALL_MASK 0x47700ull

#define TSS_SELECTOR 0x28
#define IST_DF_BYTES 8192
#define IST_BYTES 4096

struct cpu cpus[MAX_CPUS];
unsigned cpus_running = 1;
struct cpu_features cpu_features;

void syscall_entry(void);

static void detect(void)
{
	uint32_t r[4], most;

	cpuid(0, 0, r);
	most = r[0];
	cpuid(1, 0, r);
	cpu_features.x2apic = r[2] >> 21 & 1;
	if (most >= 7) {
		cpuid(7, 0, r);
		cpu_features.smep = r[1] >> 7 & 1;
		cpu_features.smap = r[1] >> 20 & 1;
		cpu_features.umip = r[2] >> 2 & 1;
	}
	cpuid(0x80000001, 0, r);
	cpu_features.gib_pages = r[3] >> 26 & 1;
}

/* Null, kernel code and data, user data and code (SYSRET's order), TSS. */
static void load_descriptors(struct cpu *c)
{
	uint64_t tss = (uint64_t)&c->tss;
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) gdtr = {
		sizeof(c->gdt) - 1, (uint64_t)c->gdt
	};

	c->gdt[1] = 0x00af9b000000ffff;
	c->gdt[2] = 0x00cf93000000ffff;
	c->gdt[3] = 0x00cff3000000ffff;
	c->gdt[4] = 0x00affb000000ffff;
	c->gdt[5] = (sizeof(c->tss) - 1) | (tss & 0xffffff) << 16 |
		    0x89ull << 40 | (tss >> 24 & 0xff) << 56;
	c->gdt[6] = tss >> 32;
	__asm__ volatile(
		"lgdt %0\n\t"
		"pushq %1\n\t"
		"leaq 1f(%%rip), %%rax\n\t"
		"pushq %%rax\n\t"
		"lretq\n"
		"1:\tmovl %2, %%eax\n\t"
		"movl %%eax, %%ds\n\t"
		"movl %%eax, %%es\n\t"
		"movl %%eax, %%ss\n\t"
		"xorl %%eax, %%eax\n\t"
		"movl %%eax, %%fs\n\t"
		"movl %%eax, %%gs\n\t"
		"ltr %w3"
		:: "m"(gdtr), "i"(KERNEL_CS), "i"(KERNEL_SS),
		   "r"(TSS_SELECTOR) : "rax", "memory");
}

static void load_control(void)
{
	uint64_t cr0, cr4;

	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	cr0 = (cr0 & ~(CR0_EM | CR0_TS | CR0_AM)) | CR0_MP | CR0_NE | CR0_WP;
	__asm__ volatile("mov %0, %%cr0" :: "r"(cr0));
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	cr4 |= CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	cr4 |= cpu_features.smep ? CR4_SMEP : 0;
	cr4 |= cpu_features.smap ? CR4_SMAP : 0;
	cr4 |= cpu_features.umip ? CR4_UMIP : 0;
	__asm__ volatile("mov %0, %%cr4" :: "r"(cr4));
	__asm__ volatile("fninit");
}

static void load_syscall(void)
{
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
	wrmsr(MSR_STAR, (uint64_t)KERNEL_CS << 32 |
			(uint64_t)(KERNEL_SS | 3) << 48);
	wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
	wrmsr(MSR_SFMASK, SYSCALL_MASK);
}

void cpu_setup(unsigned id, void *ist_top)
{
	struct cpu *c = &cpus[id];
	uint64_t top = (uint64_t)ist_top;

	if (id == 0)
		detect();
	c->self = c;
	c->id = id;
	c->tss.ist[0] = top;
	c->tss.ist[1] = top - IST_DF_BYTES;
	c->tss.ist[2] = top - IST_DF_BYTES - IST_BYTES;
	c->tss.iomap = sizeof(c->tss);
	load_descriptors(c);
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_GS_BASE, (uint64_t)c);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	idt_load();
	load_control();
	load_syscall();
}
