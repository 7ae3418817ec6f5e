/*
 * ctl - shows and changes what the kernel lets be changed while it runs:
 * the TLB policy, the reclaim batch, read-ahead, ranged flushes, the swap
 * device's delay, faults made on purpose; and reclaims pages on demand.
 */
#include <stdlib.h>
#include <string.h>

#include "user/lib/faults.h"

static const struct setting {
	const char *name, *argument;
	enum weir_ctl op;
} settings[] = {
	{ "tlb", "NAME", WEIR_CTL_POLICY },
	{ "batch", "FRAMES", WEIR_CTL_BATCH },
	{ "delay", "MICROSECONDS", WEIR_CTL_DELAY },
	{ "readahead", "PAGES", WEIR_CTL_READAHEAD },
	{ "ranged", "PAGES", WEIR_CTL_RANGED },
	{ "reclaim", "FRAMES", WEIR_CTL_RECLAIM },
};
#define NSETTINGS (sizeof(settings) / sizeof(settings[0]))

static void show(void)
{
	struct weir_system s;

	system_read(&s);
	printf("tlb %s\nbatch %u\ndelay %u\nreadahead %llu\nranged %llu\n",
	       s.policy < WEIR_NPOLICIES ? policy_names[s.policy] : "?",
	       s.batch, s.delay_us, (unsigned long long)s.readahead,
	       (unsigned long long)s.ranged);
	printf("cpus %u\nseed %llu\nframes %llu\nframes_free %llu\n", s.cpus,
	       (unsigned long long)s.seed, (unsigned long long)s.frames_total,
	       (unsigned long long)s.frames_free);
	printf("frames_anon %llu\nswap %llu\nswap_free %llu\n",
	       (unsigned long long)s.frames_anon,
	       (unsigned long long)s.swap_total,
	       (unsigned long long)s.swap_free);
}

static int usage(void)
{
	printf("usage: ctl");
	for (size_t i = 0; i < NSETTINGS; i++)
		printf("%s %s %s", i ? " |" : "", settings[i].name,
		       settings[i].argument);
	printf(" | faults [NAME:N[xTIMES],...]\npolicies:");
	for (int i = 0; i < WEIR_NPOLICIES; i++)
		printf(" %s", policy_names[i]);
	printf("\n");
	return STATUS_USAGE;
}

static bool parse(const struct setting *s, const char *text,
		  uint64_t *value)
{
	char *end;
	int policy;

	if (s->op == WEIR_CTL_POLICY) {
		policy = policy_by_name(text);
		*value = (uint64_t)policy;
		return policy >= 0;
	}
	if (*text < '0' || *text > '9')
		return false;
	*value = strtoull(text, &end, 10);
	return *end == '\0';
}

static int change(const struct setting *s, const char *text)
{
	uint64_t value;
	long result;

	if (!parse(s, text, &value)) {
		printf("ctl: %s: %s is not valid\n", s->name, text);
		return usage();
	}
	result = sys_sys_ctl(s->op, value, 0);
	if (result < 0) {
		printf("ctl: %s %s: %s\n", s->name, text,
		       weir_strerror(result));
		return 1;
	}
	if (s->op == WEIR_CTL_RECLAIM)
		printf("reclaimed %ld\n", result);
	return 0;
}

static void show_faults(void)
{
	struct weir_fault_point p;

	printf("%-40s %10s %10s\n", "point", "one in", "injected");
	for (uint64_t i = 0; fault_point(i, &p); i++)
		printf("%-40s %10llu %10llu\n", p.name,
		       (unsigned long long)p.one_in,
		       (unsigned long long)p.injected);
}

static int faults(const char *text)
{
	const char *bad = text ? faults_set(text, false) : NULL;

	if (bad) {
		printf("ctl: faults: %s is not valid\n", bad);
		return usage();
	}
	if (!text)
		show_faults();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 1) {
		show();
		return 0;
	}
	if (argc <= 3 && strcmp(argv[1], "faults") == 0)
		return faults(argv[2]);
	for (size_t i = 0; argc == 3 && i < NSETTINGS; i++)
		if (strcmp(argv[1], settings[i].name) == 0)
			return change(&settings[i], argv[2]);
	return usage();
}
