/*
 * bootinfo.h - what the boot loader handed over, copied out of its memory.
 *
 * Filled once by multiboot_parse, read-only from kernel_main on. Addresses
 * are physical. The memory map is as the firmware gave it: unsorted, perhaps
 * overlapping; the kernel image and the modules lie inside usable entries.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_MAX_MMAP 128
#define BOOT_MAX_MODULES 8
#define BOOT_USABLE 1 /* mmap type: RAM that is ours */

/* As the loader has it, whose own may lie at any address. */
struct boot_range {
	uint64_t base, len;
	uint32_t type, zero;
} __attribute__((packed));

struct bootinfo {
	struct boot_range mmap[BOOT_MAX_MMAP];
	unsigned nmmap;
	uint8_t rsdp[36]; /* ACPI 1: the first 20 bytes; none: zeros */
	struct boot_module {
		uint64_t pa, len;
		char name[32]; /* the first word of its command line */
	} module[BOOT_MAX_MODULES];
	unsigned nmodules;
	char cmdline[1024];
};

/* This machine's, kept for good (start.c). */
extern struct bootinfo boot_info;

/* Parses the multiboot2 information at `info` into `out`; `magic` is what
 * the loader left in EAX. NULL, or a sentence on what is wrong. Pure: also
 * compiles on the host. */
const char *multiboot_parse(uint32_t magic, const void *info,
			    struct bootinfo *out);

/* arch/: reads at most n bytes of the file `name` that QEMU hands over; none
 * when there is no such file or no such device. Boot. */
void fwcfg_read(const char *name, char *buf, size_t n);
