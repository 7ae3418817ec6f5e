/*
 * param_test.c - `param_test TEXT` prints what the parser made of TEXT, for
 * test_param.py; `param_test fuzz SEED` feeds it noise.
 */
#include "shim.h"

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
	complaints++;
}

static void check_ranges(const struct params *p)
{
	CHECK(p->cpus <= 64 && p->policy < 4 && p->pcid < 2);
	CHECK(p->batch >= 1 && p->batch <= 256);
	CHECK(memchr(p->run, 0, sizeof(p->run)));
}

static void fuzz(void)
{
	static const char *const bits[] = {
		"cpus=", "mem=", "swap=", "tlb=", "batch=", "seed=", "delay=",
		"run=", "trace=", "check=", "pcid=", "on",
		"tlb,audit", ",", "all", "7:cr3,copy", ":", " ", " ", "\t",
		"\"", "\\", "\\\"",
		"=", "0", "1", "64", "18446744073709551615",
		"18446744073709551616", "-1", "two-pass", "immediate", "x",
		"\x80\xff", "run=\"", "0x10", "9999999999999999999999",
	};
	const unsigned nbits = sizeof(bits) / sizeof(*bits);

	for (unsigned round = 0; round < 20000; round++) {
		struct params p;
		/* On the heap, of just the size: overruns show. */
		char buf[2048] = "", *text;
		unsigned n = shim_random() % (round % 50 ? 20 : 400), bad;

		while (n-- > 0 && strlen(buf) < 2000) {
			if (shim_random() % 6)
				strcat(buf, bits[shim_random() % nbits]);
			else
				sprintf(buf + strlen(buf), "%c",
					(int)(1 + shim_random() % 255));
		}
		text = strdup(buf);
		param_defaults(&p);
		complaints = 0;
		bad = param_parse(text, &p, complain_quietly);
		CHECK(bad == complaints);
		check_ranges(&p);
		free(text);
	}
}

int main(int argc, char **argv)
{
	static const char *const policies[] = { "immediate", "batch-clean",
						"batch-dirty", "two-pass" };
	struct params p;
	unsigned bad;

	if (argc == 3) {
		shim_seed(2, argv + 1);
		fuzz();
		return 0;
	}
	param_defaults(&p);
	bad = param_parse(argv[1], &p, complain);
	check_ranges(&p);
	printf("bad=%u\ncpus=%lu\nmem=%lu\nswap=%lu\nvirtio=%u\n"
	       "tlb=%s\npcid=%lu\nbatch=%lu\nseed=%lu\ndelay=%lu\n"
	       "points=%lu:%lx\ncheck=%lx\nrun=%s\n", bad,
	       p.cpus, p.mem_mib, p.swap_mib, p.swap_virtio,
	       policies[p.policy], p.pcid, p.batch, p.seed, p.delay_us,
	       p.points_seed, p.points, p.check, p.run);
	return 0;
}
