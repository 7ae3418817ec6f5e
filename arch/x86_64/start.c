/*
 * start.c - the first CPU's way from boot.asm to kernel_main.
 */
#include "arch/x86_64/paging.h"
#include "arch/x86_64/panic.h"
#include "arch/x86_64/trap.h"
#include "boot/bootinfo.h"

#define IST_STACKS 16384

struct bootinfo boot_info;
static char ist_stacks[IST_STACKS] __attribute__((aligned(4096)));

/* Where boot.asm ends, on the boot stack and tables. */
_Noreturn void arch_start(uint32_t magic, uint32_t info_pa)
{
	uart_init();
	idt_init();
	cpu_setup(0, (uint64_t)ist_stacks + IST_STACKS);
	this_cpu()->online = true;
	const char *wrong = multiboot_parse(magic, KVA(info_pa), &boot_info);
	if (wrong)
		panic("boot: %s", wrong);
	paging_init();
	kernel_main();
}
