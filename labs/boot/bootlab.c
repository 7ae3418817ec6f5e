/*
 * bootlab.c - lab boot: are all CPUs found, and do they all run?
 *
 *   bootlab madt    the kernel's parser, compiled into this program, reads
 *                   tables that are made up here
 *   bootlab run     every CPU of the machine runs a thread, all at once
 *
 * Exit status 1: a line says what is not so.
 */
#include "labs/lab.h"

/* As for the kernel. */
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "arch/x86_64/acpi.c"

/* ---- madt: tables of our own --------------------------------------------- */
#define ROOM 4096
#define RSDP_PA 64
#define ROOT_PA 256
#define MADT_PA 512

static uint8_t memory[ROOM];
static size_t madt_length;

static void *map(uint64_t pa, size_t len)
{
	return pa < ROOM && len <= ROOM - pa ? memory + pa : NULL;
}

static void put(uint8_t *at, uint64_t value, unsigned bytes)
{
	for (; bytes--; value >>= 8)
		*at++ = (uint8_t)value;
}

static void seal(uint8_t *table, size_t length, size_t sum_at)
{
	uint8_t sum = 0;

	table[sum_at] = 0;
	for (size_t i = 0; i < length; i++)
		sum += table[i];
	table[sum_at] = (uint8_t)-sum;
}

static void begin(void)
{
	memset(memory, 0, sizeof(memory));
	madt_length = 44;
	memcpy(memory + MADT_PA, "APIC", 4);
	put(memory + MADT_PA + 36, 0xfee00000, 4);
}

static void entry(uint8_t type, uint8_t length, uint64_t at2, unsigned n2,
		  uint64_t at4, uint64_t at8)
{
	uint8_t *e = memory + MADT_PA + madt_length;

	e[0] = type;
	e[1] = length;
	put(e + 2, at2, n2);
	put(e + 4, at4, 4);
	if (length >= 12)
		put(e + 8, at8, 4);
	madt_length += length;
}

static void short_cpu(unsigned id, unsigned flags)
{
	entry(0, 8, id << 8, 2, flags, 0);
}

static void long_cpu(unsigned id, unsigned flags)
{
	entry(9, 16, 0, 2, id, flags);
}

static const char *parse(struct acpi_info *out)
{
	uint8_t *rsdp = memory + RSDP_PA, *root = memory + ROOT_PA;

	memcpy(root, "RSDT", 4);
	put(root + 4, 40, 4);
	put(root + 36, MADT_PA, 4);
	seal(root, 40, 9);
	put(memory + MADT_PA + 4, madt_length, 4);
	seal(memory + MADT_PA, madt_length, 9);
	memcpy(rsdp, "RSD PTR ", 8);
	put(rsdp + 16, ROOT_PA, 4);
	seal(rsdp, RSDP1_BYTES, 8);
	return acpi_parse(rsdp, map, out);
}

static void expect(const char *name, unsigned n, const uint32_t *ids)
{
	struct acpi_info info;
	const char *wrong = parse(&info);

	CHECK(!wrong);
	CHECK(info.ncpus == n);
	for (unsigned i = 0; ids && i < n; i++)
		CHECK(info.apic_id[i] == ids[i]);
	lab_part(name);
}
#define IDS(...) sizeof((uint32_t[]){ __VA_ARGS__ }) / 4, \
		 (uint32_t[]){ __VA_ARGS__ }

static void madt(void)
{
	begin();
	short_cpu(0, 1);
	short_cpu(2, 1);
	short_cpu(1, 1);
	expect("several", IDS(0, 2, 1));
	begin();
	short_cpu(0, 1);
	short_cpu(1, 0);
	short_cpu(2, 2);
	short_cpu(3, 3);
	expect("enabled", IDS(0, 3));
	begin();
	short_cpu(0, 1);
	short_cpu(255, 1);
	short_cpu(1, 1);
	expect("nobody", IDS(0, 1));
	begin();
	short_cpu(4, 1);
	long_cpu(300, 1);
	long_cpu(1000, 1);
	expect("x2apic", IDS(4, 300, 1000));
	begin();
	long_cpu(0, 1);
	long_cpu(0xffffffff, 1);
	long_cpu(7, 0);
	expect("broadcast", IDS(0));
	begin();
	short_cpu(0, 1);
	short_cpu(1, 1);
	long_cpu(1, 1);
	long_cpu(0, 1);
	long_cpu(2, 1);
	expect("once", IDS(0, 1, 2));
	begin();
	for (unsigned i = 0; i < ACPI_MAX_CPUS + 4; i++)
		long_cpu(i, 1);
	expect("too many", ACPI_MAX_CPUS + 4, NULL);
}

/* ---- run: all at once ---------------------------------------------------- */
#define MAXT 64

static struct weir_system sys;
static unsigned there;       /* threads that have come, atomic */
static uint64_t where;       /* a bit for each CPU that one was on */
static volatile bool go_on;

/* Waits for all others without letting anybody else run. */
static void meet(void *arg)
{
	int cpu = uthread_cpu();

	CHECK(cpu == (int)(uintptr_t)arg);
	__atomic_or_fetch(&where, 1ull << cpu, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&there, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&there, __ATOMIC_SEQ_CST) < sys.cpus)
		__builtin_ia32_pause();
}

/* Never lets go by itself: the CPU's own timer must take it away. */
static void spin(void *arg)
{
	(void)arg;
	while (!go_on)
		__builtin_ia32_pause();
}

static void let_go(void *arg)
{
	(void)arg;
	go_on = true;
}

static void run(void)
{
	struct uthread *t[MAXT];

	for (uintptr_t cpu = 0; cpu < sys.cpus; cpu++)
		t[cpu] = uthread_start(meet, (void *)cpu, (int)cpu);
	for (unsigned cpu = 0; cpu < sys.cpus; cpu++)
		uthread_join(t[cpu]);
	CHECK(where == (sys.cpus == 64 ? ~0ull : (1ull << sys.cpus) - 1));
	lab_part("meet");
	for (unsigned cpu = 0; cpu < sys.cpus; cpu++) {
		go_on = false;
		t[0] = uthread_start(spin, NULL, (int)cpu);
		t[1] = uthread_start(let_go, NULL, (int)cpu);
		uthread_join(t[0]);
		uthread_join(t[1]);
	}
	lab_part("timers");
}

int main(int argc, char **argv)
{
	static const struct lab_scene all[] = {
		{ "madt", madt }, { "run", run },
		{ NULL, NULL },
	};

	system_read(&sys);
	return lab_play(argc, argv, all);
}
