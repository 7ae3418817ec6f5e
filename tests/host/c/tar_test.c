/*
 * tar_test.c - `tar_test list|find NAME` on an archive in stdin, for
 * test_tar.py; and what the fuzzer calls (tests/fuzz).
 */
#include "shim.h"

#include "input.h"
#include "user/lib/tar.h"

static size_t fails; /* the block that cannot be read, + 1; 0: none */
static bool failed;

/* A tar_block_fn; what it gave before is gone. */
static const uint8_t *copy_block(void *arg, uint64_t at)
{
	static uint8_t block[TAR_BLOCK];
	struct input *in = arg;

	CHECK(at % TAR_BLOCK == 0 && at + TAR_BLOCK <= in->size);
	if (fails && at / TAR_BLOCK == fails - 1) {
		failed = true;
		return NULL;
	}
	memcpy(block, in->bytes + at, TAR_BLOCK);
	return block;
}

/* Block by block there are the same entries, and the same end, or those up to
 * the block that cannot be read. */
static void walk_blocks(struct input in)
{
	struct tar_file f, g;
	struct tar whole, t;

	failed = false;
	tar_open(&whole, in.bytes, in.size);
	tar_open_blocks(&t, copy_block, &in, in.size);
	while (tar_next(&t, &g)) {
		CHECK(tar_next(&whole, &f) && strcmp(f.name, g.name) == 0);
		CHECK(f.size == g.size && f.at == g.at && !g.data);
		CHECK(f.at == (uint64_t)(f.data - in.bytes));
	}
	if (failed)
		CHECK(strcmp(t.error, "it cannot be read") == 0);
	else
		CHECK(!tar_next(&whole, &f) && t.error == whole.error);
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
	for (fails = 0; fails <= in.size / TAR_BLOCK; fails++)
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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input in = input_copy((struct input){ (void *)bytes, size },
				     size);
	struct tar_file f;
	const char *error = walk(in, false);

	if (!tar_find(in.bytes, in.size, "bin/b", &f))
		CHECK(!error && f.regular && strcmp(f.name, "bin/b") == 0);
	free(in.bytes);
	return 0;
}

/* Most headers add up again. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t room,
			       unsigned seed)
{
	size = LLVMFuzzerMutate(bytes, size, room);
	for (size_t at = 0; at + TAR_BLOCK <= size; at += TAR_BLOCK)
		if (memcmp(bytes + at + 257, "ustar", 5) == 0 &&
		    seed >> at / TAR_BLOCK % 32 & 1)
			fix_checksum(bytes + at);
	return size;
}

int main(int argc, char **argv)
{
	struct input in = input_stdin();
	struct tar_file f;
	const char *error;

	CHECK(argc >= 2);
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
