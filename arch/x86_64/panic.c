/*
 * panic.c - the last words, and the end of the machine.
 *
 * The first CPU to panic owns everything here; the others are stopped by NMI
 * and leave a pointer to their registers in their struct cpu. Nothing waits
 * without a limit, no lock is taken, and memory is read only where the
 * kernel's tables map it, since a panic may come from anywhere.
 */
#include "arch/x86_64/panic.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/spin.h"
#include "arch/x86_64/trap.h"

#define LONGEST_BACKTRACE 24
#define LONGEST_FUNCTION 0x10000
#define LONGEST_MESSAGE 480
#define STOP_CYCLES 2000000000ull

#define DEBUG_EXIT 0xf4
#define PIIX4_PM 0x604
#define BOCHS_PM 0xb004
#define SLEEP_OFF 0x2000

extern char trap_text[], trap_text_end[];

/* Sorted by address; empty at the first link (ksyms.sh). */
extern const struct ksym {
	uint64_t address;
	const char *name;
} ksyms[], ksyms_end[];

static uint32_t speaker; /* CPU id + 1 of who panics; 0: nobody */
static char record[4096];
static size_t record_len;

static _Noreturn void halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

void power_off(unsigned status)
{
	irq_disable();
	uart_drain(); /* what the FIFOs hold would be lost */
	outb(DEBUG_EXIT, status);
	outw(PIIX4_PM, SLEEP_OFF);
	outw(BOCHS_PM, SLEEP_OFF);
	halt();
}

static _Noreturn void stop_here(const struct trapframe *tf)
{
	this_cpu()->stopped_at = tf;
	halt();
}

void panic_nmi(const struct trapframe *tf)
{
	if (__atomic_load_n(&speaker, __ATOMIC_ACQUIRE))
		stop_here(tf);
}

/* Stops the other CPUs; those that do not stop in time go unreported. */
static void stop_others(void)
{
	uint64_t start = rdtsc();

	for (unsigned i = 0; i < MAX_CPUS; i++)
		if (cpus[i].online && i != cpu_id())
			apic_send(cpus[i].apic_id, ICR_NMI);
	for (unsigned i = 0; i < MAX_CPUS; i++)
		while (cpus[i].online && !cpus[i].stopped_at &&
		       rdtsc() - start < STOP_CYCLES)
			cpu_relax();
}

/* A line for the console and, while it fits, for the record. */
static void say(const char *fmt, ...)
{
	char line[LONGEST_LINE];
	va_list ap;

	va_start(ap, fmt);
	size_t n = kvsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	com1_write(line, n);
	if (record_len + n > sizeof(record))
		return;
	memcpy(record + record_len, line, n);
	record_len += n;
}

static void say_place(uint64_t rip)
{
	size_t n = ((uint64_t)ksyms_end - (uint64_t)ksyms) / sizeof(*ksyms);

	while (n && ksyms[n - 1].address > rip)
		n--;
	if (!n || rip - ksyms[n - 1].address >= LONGEST_FUNCTION)
		say("    %016lx\n", rip);
	else
		say("    %016lx %s+0x%lx\n", rip, ksyms[n - 1].name,
		    rip - ksyms[n - 1].address);
}

/* Less than a page. */
static bool readable(uint64_t va, size_t n)
{
	return va % 8 == 0 && kmap_present(va) && kmap_present(va + n - 8);
}

/* Follows the chain of frame pointers. A return address in the trap code
 * has the interrupted registers above it. */
static void backtrace(const struct trapframe *tf)
{
	uint64_t rbp = tf->rbp;

	say_place(tf->rip);
	for (unsigned i = 0; i < LONGEST_BACKTRACE; i++) {
		uint64_t *frame = (uint64_t *)rbp, rip;

		if (trap_from_user(tf) || !readable(rbp, 16) || !frame[1])
			return;
		rip = frame[1];
		if (rip >= (uint64_t)trap_text && rip < (uint64_t)trap_text_end
		    && readable(rbp + 16, sizeof(*tf))) {
			tf = (const struct trapframe *)(rbp + 16);
			say("    -- trap %lu%s\n", tf->vector,
			    trap_from_user(tf) ? ", from user mode" : "");
			rip = tf->rip;
		} else {
			rip--; /* inside the call */
		}
		say_place(rip);
		if (frame[0] <= rbp)
			return;
		rbp = frame[0];
	}
}

/* Where a CPU is; NULL: it did not stop. */
static void say_cpu(const struct trapframe *tf)
{
	/* As pushed: the frame has them in the opposite order. */
	static const char names[][4] = {
		"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8 ",
		"r9 ", "r10", "r11", "r12", "r13", "r14", "r15",
	};

	if (!tf) {
		say("  did not stop\n");
		return;
	}
	say("  rip %016lx cs %lx flags %lx rsp %016lx", tf->rip, tf->cs,
	    tf->rflags, tf->rsp);
	for (unsigned i = 0; i < 15; i++)
		say("%s %s %016lx", i % 4 ? "" : "\n ", names[i],
		    (&tf->r15)[14 - i]);
	say("\n");
	backtrace(tf);
}

/* The record is of this CPU, the console has them all. */
static _Noreturn void panic_from(const struct trapframe *tf, const char *fmt,
				 va_list ap)
{
	struct cpu *self = this_cpu();
	uint32_t nobody = 0;

	irq_disable();
	if (!compare_exchange(&speaker, &nobody, self->id + 1)) {
		if (nobody != self->id + 1)
			stop_here(tf);
		/* A panic inside the panic: say no more. */
		uart_break_locks();
		com1_write("*** panic in the panic\n", 23);
		power_off(POWER_PANIC);
	}
	self->stopped_at = tf;
	stop_others();
	uart_break_locks();
	kvsnprintf(record, LONGEST_MESSAGE, fmt, ap);
	kprintf("\n*** kernel panic on cpu %u\n*** ", self->id);
	say("%s\n", record);
	kprintf("cpu %u, which panicked:\n", self->id);
	say_cpu(tf);
	size_t own = record_len;
	for (unsigned i = 0; i < MAX_CPUS; i++) {
		if (!cpus[i].online || &cpus[i] == self)
			continue;
		kprintf("cpu %u:\n", i);
		say_cpu(cpus[i].stopped_at);
	}
	com2_record("panic", record, own);
	power_off(POWER_PANIC);
}

void panic_trap(const struct trapframe *tf, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	panic_from(tf, fmt, ap);
}

/* panic() has only raised this trap: its arguments are still in the six
 * registers and on the stack, above the return address. */
void panic_called(struct trapframe *tf)
{
	uint64_t registers[] = { tf->rdi, tf->rsi, tf->rdx, tf->rcx, tf->r8,
				 tf->r9 };
	uint64_t *stack = (uint64_t *)tf->rsp;
	va_list ap = { { .gp_offset = 8, .fp_offset = sizeof(registers),
			 .reg_save_area = registers,
			 .overflow_arg_area = stack + 1 } };

	tf->rip = stack[0] - 1; /* for a call may end its function */
	tf->rsp += 8;
	panic_from(tf, (const char *)tf->rdi, ap);
}
