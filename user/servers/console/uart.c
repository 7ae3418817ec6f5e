/*
 * uart.c - the serial line COM1: 115200 baud, 8N1, interrupt on input.
 *
 * On the line a newline is CR LF; programs see LF only.
 */
#include "user/servers/console/console.h"

#define COM1 0x3f8
enum { DATA = 0, IER = 1, FCR = 2, LCR = 3, MCR = 4, LSR = 5 };
#define LSR_DATA 0x01
#define LSR_EMPTY 0x20
#define FIFO 16

static unsigned uart_in(unsigned reg)
{
	return (unsigned)sys_port_in(startup->ports[0], COM1 + reg, 1);
}

static void uart_out(unsigned reg, unsigned value)
{
	sys_port_out(startup->ports[0], COM1 + reg, 1, value);
}

/* What was typed and is in the FIFO stays there. */
void uart_init(void)
{
	uart_out(IER, 0);
	uart_out(LCR, 0x80);
	uart_out(DATA, 1);
	uart_out(IER, 0);
	uart_out(LCR, 0x03);
	uart_out(FCR, 0x01);
	uart_out(MCR, 0x0b);
	uart_out(IER, 0x01);
}

/* Sends a byte; `room` counts down what the FIFO still takes. */
static void send(unsigned char c, unsigned *room)
{
	while (*room == 0) {
		if (uart_in(LSR) & LSR_EMPTY)
			*room = FIFO;
		else
			uthread_yield();
	}
	uart_out(DATA, c);
	(*room)--;
}

void uart_write(const uint8_t *bytes, size_t length)
{
	unsigned room = 0;

	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n')
			send('\r', &room);
		send(bytes[i], &room);
	}
}

int uart_read(void)
{
	return uart_in(LSR) & LSR_DATA ? (int)uart_in(DATA) : -1;
}
