/*
 * uart.c - COM1 and COM2, output by polling.
 *
 * A port is used only if its scratch register keeps a value. Its lock keeps
 * lines and records whole. Waiting for room is bounded, so that a dead port
 * cannot hang the kernel.
 */
#include "arch/x86_64/spin.h"

#define LSR_ROOM 0x20
#define LSR_SENT 0x40 /* all bytes, and the last one to its last bit */

enum uart_register {
	UART_DATA, UART_IER, UART_FCR, UART_LCR, UART_MCR, UART_LSR,
	UART_SCRATCH = 7
};

struct port {
	uint16_t base;
	bool present;
	struct spinlock lock;
};

static struct port com1 = { .base = 0x3f8, .lock = SPINLOCK_INIT(uart) };
static struct port com2 = { .base = 0x2f8, .lock = SPINLOCK_INIT(uart) };

static void port_init(struct port *p)
{
	static const uint8_t setup[][2] = { /* 115200 baud, 8 bits, FIFOs */
		{ UART_IER, 0 }, { UART_LCR, 0x80 }, { UART_DATA, 1 },
		{ UART_IER, 0 }, { UART_LCR, 3 }, { UART_FCR, 7 },
		{ UART_MCR, 0x0b },
	};

	outb(p->base + UART_SCRATCH, 0x5a);
	p->present = inb(p->base + UART_SCRATCH) == 0x5a;
	for (unsigned i = 0; p->present && i < sizeof(setup) / 2; i++)
		outb(p->base + setup[i][0], setup[i][1]);
}

void uart_init(void)
{
	port_init(&com1);
	port_init(&com2);
}

static void wait_for(const struct port *p, uint8_t status)
{
	unsigned tries = 100000;

	while (!(inb(p->base + UART_LSR) & status) && --tries)
		cpu_relax();
}

static void put(struct port *p, const char *buf, size_t n)
{
	for (size_t i = 0; p->present && i < n; i++) {
		wait_for(p, LSR_ROOM);
		outb(p->base + UART_DATA, buf[i]);
	}
}

void com1_write(const char *buf, size_t n)
{
	spin_lock(&com1.lock);
	for (size_t i = 0; i < n; i++) {
		if (buf[i] == '\n')
			put(&com1, "\r", 1);
		put(&com1, buf + i, 1);
	}
	spin_unlock(&com1.lock);
}

void com2_record(const char *kind, const void *bytes, size_t n)
{
	char head[48];
	int len = ksnprintf(head, sizeof(head), "@weir %s %zu\n", kind, n);

	spin_lock(&com2.lock);
	put(&com2, head, len);
	put(&com2, bytes, n);
	put(&com2, "\n", 1);
	spin_unlock(&com2.lock);
}

void uart_drain(void)
{
	wait_for(&com1, LSR_SENT);
	wait_for(&com2, LSR_SENT);
}

void uart_break_locks(void)
{
	spin_init(&com1.lock, RANK_uart);
	spin_init(&com2.lock, RANK_uart);
	this_cpu()->locks_held = 0;
}
