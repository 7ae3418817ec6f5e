/*
 * trap.c - the IDT, and who handles which trap.
 *
 * Owns the table of interrupt handlers: written at start-up, then only read.
 */
#include "arch/x86_64/trap.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/panic.h"

#define STUB_BYTES 16
#define GATE_INTERRUPT 0x8e
#define GATE_USER 0x60 /* user mode may raise it by INT */
#define RFLAGS_IF 0x200ull
#define RFLAGS_TF 0x100ull
/* CF PF AF ZF SF TF DF OF RF AC ID: what user mode may have set */
#define RFLAGS_USER 0x250dd5ull

struct gate {
	uint16_t offset0, selector;
	uint8_t ist, type;
	uint16_t offset1;
	uint32_t offset2, zero;
};

extern char trap_stubs[];
_Noreturn void trap_restore_user(struct trapframe *tf);

static struct gate idt[256] __attribute__((aligned(4096)));
static void (*handlers[256])(struct trapframe *tf);

static const char *const exception_names[32] = {
	"division error", "debug trap", "an NMI that no CPU has sent",
	"breakpoint", "overflow", "bound range", "invalid opcode", "no FPU",
	"double fault", "9",
	"invalid TSS", "segment not present", "stack segment fault",
	"general protection fault", "page fault", "15", "x87 error",
	"alignment check", "machine check", "SIMD error", "virtualization",
	"control protection", "22", "23", "24", "25", "26", "27",
	"hypervisor injection", "VMM communication", "security", "31",
};

void idt_init(void)
{
	for (unsigned v = 0; v < 256; v++) {
		uint64_t at = (uint64_t)trap_stubs + v * STUB_BYTES;

		idt[v] = (struct gate){
			.offset0 = at,
			.selector = KERNEL_CS,
			.type = GATE_INTERRUPT | (v == VEC_BP ? GATE_USER : 0),
			.offset1 = at >> 16,
			.offset2 = at >> 32,
		};
	}
	idt[VEC_DF].ist = 1;
	idt[VEC_NMI].ist = 2;
	idt[VEC_MC].ist = 3;
}

void idt_load(void)
{
	struct table_register idtr = { sizeof(idt) - 1, idt };

	__asm__ volatile("lidt %0" :: "m"(idtr));
}

void irq_register(unsigned vector, void (*handler)(struct trapframe *tf))
{
	assert(vector >= VEC_IRQ0 && vector < VEC_PIC);
	__atomic_store_n(&handlers[vector], handler, __ATOMIC_RELEASE);
}

static uint64_t read_cr2(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr2, %0" : "=r"(v));
	return v;
}

/* User mode, or a copy on its behalf, gets its fault handled above; any
 * other page fault is a bug of the kernel. */
static void page_fault(struct trapframe *tf)
{
	uint64_t cr2 = read_cr2();

	if (!trap_from_user(tf) && !(usercopy_active(tf) && cr2 < USER_END))
		panic_trap(tf, "page fault in the kernel: %s %lx (error %lx)",
			   tf->error & PF_EXEC ? "executing" :
			   tf->error & PF_WRITE ? "writing" : "reading",
			   cr2, tf->error);
	irq_restore(tf->rflags);
	kernel_page_fault(tf, cr2);
	irq_disable();
}

static void exception(struct trapframe *tf)
{
	if (tf->vector == VEC_PF) {
		page_fault(tf);
		return;
	}
	if (!trap_from_user(tf))
		panic_trap(tf, "%s in the kernel (error %lx)",
			   exception_names[tf->vector], tf->error);
	irq_enable();
	kernel_user_exception(tf);
}

/* The messages between CPUs and the timer are edges: their EOI comes first.
 * A device's comes after its handler, which may have masked it. */
static void interrupt(struct trapframe *tf)
{
	unsigned v = tf->vector;
	void (*handler)(struct trapframe *);

	if (v == VEC_PANIC)
		panic_called(tf);
	if (v >= VEC_PIC)
		return; /* spurious: no EOI */
	if (v >= VEC_TIMER)
		apic_write(APIC_EOI, 0);
	handler = __atomic_load_n(&handlers[v], __ATOMIC_ACQUIRE);
	if (handler)
		handler(tf);
	if (v < VEC_TIMER)
		apic_write(APIC_EOI, 0);
}

/* The one gate to user mode: on return interrupts are off and the frame is
 * fit for IRET and, but for its flags, for SYSRET. */
static void prepare_user(struct trapframe *tf)
{
	for (;;) {
		irq_disable();
		kernel_user_return(tf);
		if (tf->rip < USER_END)
			break;
		tf->vector = VEC_GP;
		tf->error = 0;
		exception(tf);
	}
	assert(!irq_enabled() && !this_cpu()->locks_held);
	tf->cs = USER_CS;
	tf->ss = USER_SS;
	tf->rflags = (tf->rflags & RFLAGS_USER) | RFLAGS_IF | 2;
}

void trap_dispatch(struct trapframe *tf)
{
	forbid_user_access(); /* user mode may have left AC set */
	if (tf->vector < VEC_IRQ0)
		exception(tf);
	else
		interrupt(tf);
	if (trap_from_user(tf))
		prepare_user(tf);
}

/* On a stack of its own, perhaps between two instructions of an entry:
 * takes no lock, wakes nobody. */
void trap_dispatch_paranoid(struct trapframe *tf)
{
	forbid_user_access();
	if (tf->vector == VEC_NMI)
		panic_nmi(tf);
	if (tf->vector == VEC_DF && kstack_guard(read_cr2()))
		panic_trap(tf, "kernel stack overflow at %lx", read_cr2());
	panic_trap(tf, "%s", exception_names[tf->vector]);
}

/* True: SYSRET will do. It never gets an address that is not canonical. */
bool syscall_dispatch(struct trapframe *tf)
{
	kernel_syscall(tf);
	prepare_user(tf);
	return !(tf->rflags & (RFLAGS_TF | RFLAGS_RF));
}

void trap_return(struct trapframe *tf)
{
	prepare_user(tf);
	trap_restore_user(tf);
}
