/*
 * param_test.c - `param_test TEXT` prints what the parser made of TEXT, for
 * test_param.py; and what the fuzzer calls (tests/fuzz).
 */
#include "shim.h"

#include "kernel/abi/weir.h"
#include "kernel/param.h"

static void complain(const char *text)
{
	CHECK(strlen(text) < 300);
	for (const char *c = text; *c; c++)
		CHECK(*c >= ' ' && *c < 127);
	printf("complaint: %s\n", text);
}

static unsigned complaints;

static void complain_quietly(const char *text)
{
	CHECK(strlen(text) < 300);
	for (const char *c = text; *c; c++)
		CHECK(*c >= ' ' && *c < 127);
	complaints++;
}

static void check_ranges(const struct params *p)
{
	CHECK(p->cpus <= 64 && p->policy < WEIR_NPOLICIES && p->pcid < 2);
	CHECK(p->delay_us <= DELAY_MAX_US);
	CHECK(p->mem_mib <= 1 << 24 && p->swap_mib <= 1 << 24);
	CHECK(p->batch >= 1 && p->batch <= 256);
	CHECK(p->readahead <= READAHEAD_MAX && p->ranged <= RANGED_MAX);
	CHECK(memchr(p->run, 0, sizeof(p->run)));
	CHECK(memchr(p->fault, 0, sizeof(p->fault)));
}

/* NULs part command lines, applied in turn: GRUB's, then fw_cfg's. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct params p = PARAM_DEFAULTS, before;

	while (size) {
		const uint8_t *end = memchr(bytes, 0, size);
		size_t n = end ? (size_t)(end - bytes) : size;
		/* On the heap, of just the size: overruns show. */
		char *text = strndup((const char *)bytes, n);
		unsigned bad;

		complaints = 0;
		bad = param_parse(text, &p, complain_quietly);
		CHECK(bad == complaints);
		check_ranges(&p);
		before = p;
		/* What was applied once changes nothing again. */
		CHECK(param_parse(text, &p, complain_quietly) == bad);
		CHECK(memcmp(&p, &before, sizeof(p)) == 0);
		free(text);
		bytes += n + !!end;
		size -= n + !!end;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const char *const policies[] = { "immediate", "batch-clean",
						"batch-dirty", "two-pass" };
	struct params p = PARAM_DEFAULTS;
	unsigned bad;

	CHECK(argc == 2);
	bad = param_parse(argv[1], &p, complain);
	check_ranges(&p);
	printf("bad=%u\ncpus=%lu\nmem=%lu\nswap=%lu\nvirtio=%u\n"
	       "tlb=%s\npcid=%lu\nbatch=%lu\n"
	       "readahead=%lu\nranged=%lu\nseed=%lu\ndelay=%lu\n"
	       "points=%lu:%lx\ncheck=%lx\nfault=%s\nrun=%s\n", bad,
	       p.cpus, p.mem_mib, p.swap_mib, p.swap_virtio,
	       policies[p.policy], p.pcid, p.batch, p.readahead,
	       p.ranged, p.seed, p.delay_us,
	       p.points_seed, p.points, p.check, p.fault, p.run);
	return 0;
}
