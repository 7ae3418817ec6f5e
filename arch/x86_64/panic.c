/*
 * panic.c - the last words.
 *
 * The first CPU to panic owns everything here; the others are stopped by NMI
 * and leave a pointer to their registers in their struct cpu. Nothing waits
 * without a limit, no lock is taken, and memory is read only where the
 * kernel's tables map it, since a panic may come from anywhere.
 */
#include "arch/x86_64/panic.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/power.h"
#include "arch/x86_64/print.h"
#include "arch/x86_64/string.h"
#include "arch/x86_64/trap.h"
#include "arch/x86_64/uart.h"

#define LONGEST_BACKTRACE 24
#define STOP_CYCLES 2000000000ull

extern char trap_text[], trap_text_end[];

static uint32_t speaker; /* CPU id + 1 of who panics; 0: nobody */
static char message[512];
static char record[4096];
static size_t record_len;

static _Noreturn void stop_here(const struct trapframe *tf)
{
	this_cpu()->stopped_at = tf;
	for (;;)
		__asm__ volatile("cli; hlt");
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

	ipi_send_nmi_others();
	for (unsigned i = 0; i < MAX_CPUS; i++)
		while (cpus[i].online && !cpus[i].stopped_at &&
		       rdtsc() - start < STOP_CYCLES)
			cpu_relax();
}

/* A line for the console, and for the record if it is the speaker's. */
static void say(bool recorded, const char *fmt, ...)
{
	char line[128];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	kvsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	kprintf("%s", line);
	n = strlen(line);
	if (recorded && record_len + n <= sizeof(record)) {
		memcpy(record + record_len, line, n);
		record_len += n;
	}
}

static void say_place(bool recorded, uint64_t rip)
{
	uint64_t offset;
	const char *name = ksym_name(rip, &offset);

	if (*name == '?')
		say(recorded, "    %016lx\n", rip);
	else
		say(recorded, "    %016lx %s+0x%lx\n", rip, name, offset);
}

static bool readable(uint64_t va)
{
	return va % 8 == 0 && kmap_present(va);
}

/* Follows the chain of frame pointers. A return address in the trap code
 * has the interrupted registers above it. */
static void backtrace(bool recorded, const struct trapframe *tf)
{
	uint64_t rbp = tf->rbp;

	say_place(recorded, tf->rip);
	for (unsigned i = 0; i < LONGEST_BACKTRACE; i++) {
		uint64_t *frame = (uint64_t *)rbp, rip;

		if (trap_from_user(tf) || !readable(rbp) ||
		    !readable(rbp + 8) || !frame[1])
			return;
		rip = frame[1];
		if (rip >= (uint64_t)trap_text && rip < (uint64_t)trap_text_end
		    && readable(rbp + 16) &&
		    readable(rbp + 16 + sizeof(*tf) - 8)) {
			tf = (const struct trapframe *)(rbp + 16);
			say(recorded, "    -- trap %lu%s\n", tf->vector,
			    trap_from_user(tf) ? ", from user mode" : "");
			rip = tf->rip;
		} else {
			rip--; /* inside the call */
		}
		say_place(recorded, rip);
		if (frame[0] <= rbp)
			return;
		rbp = frame[0];
	}
}

static void say_registers(bool recorded, const struct trapframe *tf)
{
	say(recorded, "  rip %016lx cs %lx flags %lx rsp %016lx\n", tf->rip,
	    tf->cs, tf->rflags, tf->rsp);
	say(recorded, " rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", tf->rax,
	    tf->rbx, tf->rcx, tf->rdx);
	say(recorded, " rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", tf->rsi,
	    tf->rdi, tf->rbp, tf->r8);
	say(recorded, "  r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", tf->r9,
	    tf->r10, tf->r11, tf->r12);
	say(recorded, "  r13 %016lx r14 %016lx r15 %016lx\n", tf->r13, tf->r14,
	    tf->r15);
}

static void say_cpu(const struct cpu *c, const struct trapframe *tf,
		    bool speaks)
{
	kprintf("cpu %u%s:\n", c->id, speaks ? ", which panicked" : "");
	if (!tf) {
		kprintf("  did not stop\n");
		return;
	}
	say_registers(speaks, tf);
	backtrace(speaks, tf);
}

static _Noreturn void report(const struct trapframe *tf)
{
	struct cpu *self = this_cpu();

	print_break_lock();
	uart_break_lock();
	stop_others();
	say(false, "\n*** kernel panic on cpu %u\n*** ", self->id);
	kprintf("%s\n", message);
	record_len = ksnprintf(record, sizeof(record), "%s\n", message);
	say_cpu(self, tf, true);
	for (unsigned i = 0; i < MAX_CPUS; i++)
		if (cpus[i].online && &cpus[i] != self)
			say_cpu(&cpus[i], cpus[i].stopped_at, false);
	com2_record("panic", record, record_len);
	power_off(POWER_PANIC);
}

static _Noreturn void panic_from(const struct trapframe *tf, const char *fmt,
				 va_list ap)
{
	struct cpu *self = this_cpu();
	uint32_t nobody = 0;

	irq_disable();
	if (!__atomic_compare_exchange_n(&speaker, &nobody, self->id + 1,
					 false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		if (nobody != self->id + 1)
			stop_here(tf);
		/* A panic inside the panic: say no more. */
		com1_write("*** panic in the panic\n", 23);
		power_off(POWER_PANIC);
	}
	self->stopped_at = tf;
	kvsnprintf(message, sizeof(message), fmt, ap);
	report(tf);
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
