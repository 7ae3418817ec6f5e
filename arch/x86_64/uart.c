/*
 * uart.c - COM1 and COM2, output by polling.
 *
 * A port is used only if its scratch register keeps a value. COM2's lock
 * keeps records whole; COM1's callers have their own. Waiting for room is
 * bounded, so that a dead port cannot hang the kernel.
 */
#include "arch/x86_64/uart.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/print.h"
#include "arch/x86_64/spin.h"
#include "arch/x86_64/string.h"

#define COM1 0x3f8
#define COM2 0x2f8
#define LSR_ROOM 0x20
#define LSR_SENT 0x40 /* all bytes, and the last one to its last bit */
#define FIFO_BYTES 16

enum uart_register {
	UART_DATA,
	UART_IER,
	UART_FCR,
	UART_LCR,
	UART_MCR,
	UART_LSR,
	UART_SCRATCH = 7
};

struct port {
	uint16_t base;
	bool present;
	unsigned room; /* bytes that surely still fit into its FIFO */
};

static struct port com1 = { .base = COM1 };
static struct port com2 = { .base = COM2 };
static struct spinlock com2_lock = SPINLOCK_INIT("com2");
static bool lock_broken;

static void port_init(struct port *p)
{
	outb(p->base + UART_SCRATCH, 0x5a);
	p->present = inb(p->base + UART_SCRATCH) == 0x5a;
	if (!p->present)
		return;
	outb(p->base + UART_IER, 0);
	outb(p->base + UART_LCR, 0x80);
	outb(p->base + UART_DATA, 1); /* divisor 1: 115200 */
	outb(p->base + UART_IER, 0);
	outb(p->base + UART_LCR, 0x03);
	outb(p->base + UART_FCR, 0x07);
	outb(p->base + UART_MCR, 0x0b);
}

void uart_init(void)
{
	port_init(&com1);
	port_init(&com2);
}

static void wait_for(const struct port *p, uint8_t status)
{
	for (unsigned tries = 0; tries < 100000; tries++) {
		if (inb(p->base + UART_LSR) & status)
			return;
		cpu_relax();
	}
}

/* Waits for an empty FIFO only when we may have filled it. */
static void put_byte(struct port *p, char c, bool burst)
{
	if (!p->room) {
		wait_for(p, LSR_ROOM);
		p->room = burst ? FIFO_BYTES : 1;
	}
	p->room--;
	outb(p->base + UART_DATA, c);
}

void com1_write(const char *buf, size_t n)
{
	if (!com1.present)
		return;
	/* User space writes to this port too: ask before every byte. */
	for (size_t i = 0; i < n; i++) {
		if (buf[i] == '\n')
			put_byte(&com1, '\r', false);
		put_byte(&com1, buf[i], false);
	}
}

static void com2_write(const char *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_byte(&com2, buf[i], true);
}

void com2_record(const char *kind, const void *bytes, size_t n)
{
	char head[48];
	bool lock = !lock_broken;

	if (!com2.present)
		return;
	ksnprintf(head, sizeof(head), "@weir %s %zu\n", kind, n);
	if (lock)
		spin_lock(&com2_lock);
	com2_write(head, strlen(head));
	com2_write(bytes, n);
	com2_write("\n", 1);
	if (lock)
		spin_unlock(&com2_lock);
}

void uart_drain(void)
{
	wait_for(&com1, LSR_SENT);
	wait_for(&com2, LSR_SENT);
}

void uart_break_lock(void)
{
	lock_broken = true;
}
