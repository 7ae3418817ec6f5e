/*
 * power.c - ending the machine.
 */
#include "arch/x86_64/power.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/uart.h"

#define DEBUG_EXIT 0xf4
#define PIIX4_PM 0x604
#define BOCHS_PM 0xb004
#define SLEEP_OFF 0x2000

void power_off(unsigned status)
{
	irq_disable();
	uart_drain(); /* what the FIFOs hold would be lost */
	outb(DEBUG_EXIT, status);
	outw(PIIX4_PM, SLEEP_OFF);
	outw(BOCHS_PM, SLEEP_OFF);
	for (;;)
		__asm__ volatile("cli; hlt");
}
