/*
 * acpi_test.c - `acpi_test parse` on an image of physical memory in stdin
 * (the RSDP at its start), for test_boot.py; `acpi_test fuzz SEED` damages
 * it at random.
 */
#include "shim.h"

#include "arch/x86_64/acpi.h"
#include "input.h"

static struct input memory;
#define MAX_MAPS 4096
static void *mapped[MAX_MAPS]; /* each of just the length asked for */
static unsigned nmapped;

static void *map(uint64_t pa, size_t len)
{
	struct input window;

	if (pa > memory.size || len > memory.size - pa)
		return NULL;
	CHECK(nmapped < MAX_MAPS);
	window = (struct input){ memory.bytes + pa, memory.size - pa };
	return mapped[nmapped++] = input_copy(window, len).bytes;
}

static const char *parse(struct acpi_info *out)
{
	uint8_t rsdp[36] = { 0 };
	const char *error;

	memcpy(rsdp, memory.bytes, memory.size < 36 ? memory.size : 36);
	memset(out, 0xee, sizeof(*out));
	error = acpi_parse(rsdp, map, out);
	while (nmapped)
		free(mapped[--nmapped]);
	if (!error) {
		CHECK(out->ncpus >= 1);
		CHECK(out->nioapics <= ACPI_MAX_IOAPICS);
	}
	return error;
}

/* Makes the table at `at` add up again. */
static void fix(uint8_t *bytes, size_t size, size_t at)
{
	uint32_t len;
	uint8_t sum = 0;

	if (at + 36 > size)
		return;
	memcpy(&len, bytes + at + 4, 4);
	if (len < 10 || len > size - at)
		return;
	bytes[at + 9] = 0;
	for (uint32_t i = 0; i < len; i++)
		sum += bytes[at + i];
	bytes[at + 9] = -sum;
}

/* `at`: the tables' places, from the command line. */
static void fuzz(char **at, int n)
{
	struct input whole = memory;
	unsigned good = 0;

	for (unsigned round = 0; round < 20000; round++) {
		struct acpi_info out;

		memory = input_copy(whole, shim_random() % 8 ? whole.size :
				    1 + shim_random() % whole.size);
		for (unsigned k = shim_random() % 4; k > 0; k--) {
			size_t i = shim_random() % memory.size;

			memory.bytes[i] = shim_random() % 2 ?
					  shim_random() % 16 : shim_random();
		}
		if (shim_random() % 4)
			for (int k = 0; k < n; k++)
				fix(memory.bytes, memory.size, atoi(at[k]));
		good += parse(&out) == NULL;
		free(memory.bytes);
	}
	CHECK(good > 100 && good < 19900);
}

int main(int argc, char **argv)
{
	struct acpi_info out;
	const char *error;

	CHECK(argc >= 2);
	memory = input_stdin();
	if (!strcmp(argv[1], "fuzz")) {
		shim_seed(2, argv + 1);
		fuzz(argv + 3, argc - 3);
		return 0;
	}
	error = parse(&out);
	if (!error) {
		printf("lapic %lx\ncpus %u", out.lapic_pa, out.ncpus);
		for (unsigned i = 0; i < out.ncpus && i < ACPI_MAX_CPUS; i++)
			printf(" %u", out.apic_id[i]);
		printf("\n");
		for (unsigned i = 0; i < out.nioapics; i++)
			printf("ioapic %x %u\n", out.ioapic[i].pa,
			       out.ioapic[i].gsi_base);
		for (unsigned i = 0; i < ACPI_ISA_IRQS; i++)
			if (out.isa[i].gsi != i || out.isa[i].flags)
				printf("isa %u %u %x\n", i, out.isa[i].gsi,
				       out.isa[i].flags);
	}
	printf("error: %s\n", error ? error : "none");
	return 0;
}
