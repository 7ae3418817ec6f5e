/*
 * elf_test.c - `elf_test` on a file in stdin, for test_elf.py; and what the
 * fuzzer calls (tests/fuzz).
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
		if (s->prot & WEIR_P_EXEC && e->entry >= s->page + s->skip &&
		    e->entry < s->page + s->skip + s->filesz)
			entry = true;
		for (unsigned k = 0; k < i; k++) {
			const struct elf_segment *o = &e->segments[k];

			CHECK(o->page >= end ||
			      s->page >= o->page + o->pages * WEIR_PAGE_SIZE);
		}
	}
	CHECK(entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct elf e;

	/* The file may lie at any address. */
	for (size_t skew = 0; skew < 2; skew++) {
		uint8_t *odd = malloc(size + skew);
		struct input in = { odd + skew, size };

		memcpy(in.bytes, bytes, size);
		if (!elf_parse(in.bytes, size, &e))
			check_promises(&e, in);
		free(odd);
	}
	return 0;
}

int main(void)
{
	struct input in = input_stdin();
	const char *error;
	struct elf e;

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
