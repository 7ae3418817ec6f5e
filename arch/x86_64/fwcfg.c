/*
 * fwcfg.c - QEMU's fw_cfg device, by port IO.
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/string.h"
#include "boot/bootinfo.h"

#define FWCFG_SELECT 0x510
#define FWCFG_DATA 0x511
#define KEY_SIGNATURE 0x00
#define KEY_DIRECTORY 0x19
#define LARGEST_DIRECTORY 4096

struct fwcfg_file {
	uint32_t size; /* big endian, as is select */
	uint16_t select, reserved;
	char name[56];
};

static void read_bytes(void *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)to)[i] = inb(FWCFG_DATA);
}

void fwcfg_read(const char *name, char *buf, size_t n)
{
	struct fwcfg_file f;
	char signature[4];
	uint32_t files;

	outw(FWCFG_SELECT, KEY_SIGNATURE);
	read_bytes(signature, sizeof(signature));
	if (memcmp(signature, "QEMU", sizeof(signature)) != 0)
		return;
	outw(FWCFG_SELECT, KEY_DIRECTORY);
	read_bytes(&files, sizeof(files));
	files = __builtin_bswap32(files);
	for (uint32_t i = 0; i < files && i < LARGEST_DIRECTORY; i++) {
		read_bytes(&f, sizeof(f));
		f.name[sizeof(f.name) - 1] = 0;
		if (strcmp(f.name, name) != 0)
			continue;
		f.size = __builtin_bswap32(f.size);
		if (n > f.size)
			n = f.size;
		outw(FWCFG_SELECT, __builtin_bswap16(f.select));
		read_bytes(buf, n);
		return;
	}
}
