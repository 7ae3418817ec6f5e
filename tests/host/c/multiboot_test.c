/*
 * multiboot_test.c - `multiboot_test` on boot information in stdin, for
 * test_bootinfo.py; and what the fuzzer calls (tests/fuzz).
 */
#include "shim.h"

#include "boot/bootinfo.h"
#include "input.h"

#define MAGIC 0x36d76289

static const char *parse(struct input in, struct bootinfo *out)
{
	const char *error;

	memset(out, 0, sizeof(*out));
	error = multiboot_parse(MAGIC, in.bytes, out);
	CHECK(out->nmmap <= BOOT_MAX_MMAP);
	CHECK(out->nmodules <= BOOT_MAX_MODULES);
	CHECK(memchr(out->cmdline, 0, sizeof(out->cmdline)));
	for (unsigned i = 0; i < out->nmodules; i++)
		CHECK(memchr(out->module[i].name, 0,
			     sizeof(out->module[i].name)));
	return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct bootinfo out;
	struct input in;
	uint32_t length = size;

	if (size < 8)
		return 0;
	in = input_copy((struct input){ (void *)bytes, size }, size);
	memcpy(in.bytes, &length, 4); /* the loader's, so believed */
	if (!parse(in, &out))
		CHECK(out.nmmap > 0);
	free(in.bytes);
	return 0;
}

int main(void)
{
	static struct bootinfo out;
	struct input in = input_stdin();
	const char *error;

	CHECK(multiboot_parse(0x2badb002, in.bytes, &out));
	error = parse(in, &out);
	for (unsigned i = 0; i < out.nmmap; i++)
		printf("mmap %lx %lx %u\n", out.mmap[i].base, out.mmap[i].len,
		       out.mmap[i].type);
	for (unsigned i = 0; i < out.nmodules; i++)
		printf("module %lx %lx %s\n", out.module[i].pa,
		       out.module[i].len, out.module[i].name);
	printf("cmdline %s\n", out.cmdline);
	if (out.rsdp[0])
		printf("rsdp %.8s %u\n", out.rsdp, out.rsdp[35]);
	printf("error: %s\n", error ? error : "none");
	free(in.bytes);
	return 0;
}
