/*
 * elf_test.c - `elf_test parse` on a file in stdin, for test_elf.py;
 * `elf_test fuzz SEED` damages that file at random.
 */
#include "shim.h"

#include "input.h"
#include "user/lib/elf.h"

/* Whatever was accepted keeps the promises of elf.h. */
static void check_promises(const struct elf *e, struct input in)
{
	bool entry = false;

	CHECK(e->nsegments >= 1 && e->nsegments <= ELF_SEGMENTS_MAX);
	for (unsigned i = 0; i < e->nsegments; i++) {
		const struct elf_segment *s = &e->segments[i];
		uint64_t end = s->page + s->pages * WEIR_PAGE_SIZE;

		CHECK(s->page % WEIR_PAGE_SIZE == 0 && s->pages > 0);
		CHECK(s->pages <= WEIR_USER_TOP / WEIR_PAGE_SIZE);
		CHECK(s->page >= WEIR_USER_BASE && end <= WEIR_USER_TOP);
		CHECK(s->skip < WEIR_PAGE_SIZE);
		CHECK(s->skip + s->filesz <= s->pages * WEIR_PAGE_SIZE);
		CHECK((s->prot & (WEIR_P_WRITE | WEIR_P_EXEC)) !=
		      (WEIR_P_WRITE | WEIR_P_EXEC));
		CHECK(s->data >= in.bytes &&
		      s->filesz <= in.size - (s->data - in.bytes));
		input_touch(s->data, s->filesz);
		if (s->prot & WEIR_P_EXEC && e->entry >= s->page &&
		    e->entry < end)
			entry = true;
		for (unsigned k = 0; k < i; k++) {
			const struct elf_segment *o = &e->segments[k];

			CHECK(o->page >= end ||
			      s->page >= o->page + o->pages * WEIR_PAGE_SIZE);
		}
	}
	CHECK(entry);
}

static const uint64_t nasty[] = {
	0, 1, 4095, 4096, 0xffff, 0x10000, 0x7fffffff, 0xffffffff,
	0x7fffffffe000, 0x7fffffffdfff, 0x800000000000, 0xffff800000000000,
	0x7fffffffffffffff, 0x8000000000000000, UINT64_MAX, UINT64_MAX - 4094,
};

static void fuzz(struct input whole)
{
	unsigned accepted = 0;

	for (unsigned round = 0; round < 30000; round++) {
		size_t size = shim_random() % 8 ? whole.size :
			      shim_random() % (whole.size + 1);
		struct input in = input_copy(whole, size);
		struct elf e;

		for (unsigned n = shim_random() % 4; n > 0; n--) {
			uint64_t v = nasty[shim_random() %
					   (sizeof(nasty) / sizeof(*nasty))];
			unsigned width = 1u << shim_random() % 4;
			size_t at = shim_random() % 300 / width * width;

			if (at + width <= size)
				memcpy(in.bytes + at, &v, width);
		}
		if (!elf_parse(in.bytes, in.size, &e)) {
			check_promises(&e, in);
			accepted++;
		}
		free(in.bytes);
	}
	CHECK(accepted > 100 && accepted < 29000);
}

int main(int argc, char **argv)
{
	struct input in = input_stdin();
	const char *error;
	struct elf e;

	CHECK(argc >= 2);
	if (!strcmp(argv[1], "fuzz")) {
		shim_seed(argc - 1, argv + 1);
		fuzz(in);
		return 0;
	}
	error = elf_parse(in.bytes, in.size, &e);
	if (!error) {
		check_promises(&e, in);
		printf("entry %lx\n", e.entry);
		for (unsigned i = 0; i < e.nsegments; i++)
			printf("%lx %lu %lu %lu %u %lu\n", e.segments[i].page,
			       e.segments[i].pages, e.segments[i].skip,
			       e.segments[i].filesz, e.segments[i].prot,
			       (unsigned long)(e.segments[i].data - in.bytes));
	}
	printf("error: %s\n", error ? error : "none");
	free(in.bytes);
	return 0;
}
