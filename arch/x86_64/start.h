/*
 * start.h - for arch only: the boot information, kept for good.
 */
#ifndef ARCH_START_H
#define ARCH_START_H

#include "boot/bootinfo.h"

extern struct bootinfo boot_info;

/* Where boot.asm ends, on the boot stack and tables. */
_Noreturn void arch_start(uint32_t magic, uint32_t info_pa);

#endif
