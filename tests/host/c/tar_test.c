/*
 * tar_test.c - `tar_test list|find NAME` on an archive in stdin, for
 * test_tar.py; `tar_test fuzz SEED` damages that archive at random.
 */
#include "shim.h"

#include "input.h"
#include "user/lib/tar.h"

/* A tar_block_fn; what it gave before is gone. */
static size_t fails; /* the block that cannot be read, + 1; 0: none */

static const uint8_t *copy_block(void *arg, uint64_t at)
{
	static uint8_t block[TAR_BLOCK];
	struct input *in = arg;

	CHECK(at % TAR_BLOCK == 0 && at + TAR_BLOCK <= in->size);
	if (fails && at / TAR_BLOCK == fails - 1)
		return NULL;
	memcpy(block, in->bytes + at, TAR_BLOCK);
	return block;
}

/* Block by block there are the same entries, and the same end. */
static void walk_blocks(struct input in)
{
	struct tar_file f, g;
	struct tar whole, t;

	tar_open(&whole, in.bytes, in.size);
	tar_open_blocks(&t, copy_block, &in, in.size);
	while (tar_next(&whole, &f)) {
		CHECK(tar_next(&t, &g) && strcmp(f.name, g.name) == 0);
		CHECK(f.size == g.size && f.at == g.at && !g.data);
		CHECK(f.at == (uint64_t)(f.data - in.bytes));
	}
	CHECK(!tar_next(&t, &g) && t.error == whole.error);
	fails = 1 + shim_random() % (in.size / TAR_BLOCK + 1);
	tar_open_blocks(&t, copy_block, &in, in.size);
	while (tar_next(&t, &g))
		;
	fails = 0;
}

/* Goes through the archive; every promise of tar.h is checked. */
static const char *walk(struct input in, bool say)
{
	struct tar_file f;
	struct tar t;
	size_t steps = 0;

	tar_open(&t, in.bytes, in.size);
	while (tar_next(&t, &f)) {
		CHECK(++steps <= in.size / TAR_BLOCK); /* it ends */
		CHECK(strnlen(f.name, TAR_NAME_MAX) < TAR_NAME_MAX);
		CHECK(f.data >= in.bytes &&
		      f.size <= in.size - (f.data - in.bytes));
		unsigned long sum = input_touch(f.data, f.size);

		if (say)
			printf("%s %lu %d %lu\n", f.name, f.size, f.regular,
			       sum);
	}
	CHECK(!tar_next(&t, &f)); /* the end stays the end */
	walk_blocks(in);
	return t.error;
}

static void fix_checksum(uint8_t *header)
{
	unsigned sum = 0;

	memset(header + 148, ' ', 8);
	for (unsigned i = 0; i < 512; i++)
		sum += header[i];
	snprintf((char *)header + 148, 8, "%06o", sum);
}

static void fuzz(struct input whole)
{
	for (unsigned round = 0; round < 4000; round++) {
		size_t size = shim_random() % 4 ? whole.size :
			      shim_random() % (whole.size + 1);
		struct input in = input_copy(whole, size);
		struct tar_file f;

		for (unsigned n = shim_random() % 6; n > 0 && size; n--) {
			size_t at = shim_random() % size;
			size_t block = at / 512 * 512;

			/* Mostly in fields that matter. */
			if (shim_random() % 2 && block + 512 <= size)
				at = block + 100 + shim_random() % 60;
			in.bytes[at] = shim_random() % 3 ?
				       '0' + shim_random() % 9 :
				       shim_random();
			if (shim_random() % 2 && block + 512 <= size)
				fix_checksum(in.bytes + block);
		}
		walk(in, false);
		tar_find(in.bytes, in.size, "bin/b", &f);
		free(in.bytes);
	}
}

int main(int argc, char **argv)
{
	struct input in = input_stdin();
	struct tar_file f;
	const char *error;

	CHECK(argc >= 2);
	if (!strcmp(argv[1], "fuzz")) {
		shim_seed(argc - 1, argv + 1);
		fuzz(in);
		return 0;
	}
	if (!strcmp(argv[1], "find")) {
		error = tar_find(in.bytes, in.size, argv[2], &f);
		if (!error)
			printf("%s %lu %d %lu\n", f.name, f.size, f.regular,
			       input_touch(f.data, f.size));
	} else {
		error = walk(in, true);
	}
	printf("error: %s\n", error ? error : "none");
	free(in.bytes);
	return 0;
}
