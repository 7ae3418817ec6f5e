/*
 * multiboot_test.c - `multiboot_test parse` on boot information in stdin,
 * for test_boot.py; `multiboot_test fuzz SEED` damages it at random.
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

static void fuzz(struct input whole)
{
	static struct bootinfo out;

	for (unsigned round = 0; round < 20000; round++) {
		uint32_t size = 8 + shim_random() % (whole.size - 7);
		struct input in = input_copy(whole, size);

		for (unsigned n = shim_random() % 5; n > 0; n--) {
			size_t at = 8 + shim_random() % (size - 4) / 4 * 4;
			uint32_t v = shim_random() % 2 ? shim_random() % 64 :
							 shim_random();

			if (at + 4 <= size)
				memcpy(in.bytes + at, &v, 4);
		}
		memcpy(in.bytes, &size, 4); /* the loader's, so believed */
		parse(in, &out);
		free(in.bytes);
	}
}

int main(int argc, char **argv)
{
	static struct bootinfo out;
	struct input in = input_stdin();
	const char *error;

	CHECK(argc >= 2);
	if (!strcmp(argv[1], "fuzz")) {
		shim_seed(argc - 1, argv + 1);
		fuzz(in);
		return 0;
	}
	CHECK(multiboot_parse(0x2badb002, in.bytes, &out));
	error = parse(in, &out);
	for (unsigned i = 0; i < out.nmmap; i++)
		printf("mmap %lx %lx %u\n", out.mmap[i].base, out.mmap[i].len,
		       out.mmap[i].type);
	for (unsigned i = 0; i < out.nmodules; i++)
		printf("module %lx %lx %s\n", out.module[i].pa,
		       out.module[i].len, out.module[i].name);
	printf("cmdline %s\n", out.cmdline);
	if (out.has_rsdp)
		printf("rsdp %.8s %u\n", out.rsdp, out.rsdp[35]);
	printf("error: %s\n", error ? error : "none");
	free(in.bytes);
	return 0;
}
