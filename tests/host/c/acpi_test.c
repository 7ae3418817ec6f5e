/*
 * acpi_test.c - `acpi_test` on an image of physical memory in stdin (the
 * RSDP at its start), for test_bootinfo.py; and what the fuzzer calls
 * (tests/fuzz).
 */
#define _GNU_SOURCE /* memmem */
#include "shim.h"

#include "arch/x86_64/acpi.h"
#include "input.h"

static struct input memory;
#define MAX_MAPS 65536
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

/* Each CPU is named once, and stands somewhere in the tables. */
static void check_promises(const struct acpi_info *out)
{
	CHECK(out->ncpus >= 1 && out->nioapics <= ACPI_MAX_IOAPICS);
	for (unsigned i = 0; i < out->ncpus && i < ACPI_MAX_CPUS; i++) {
		uint32_t id = out->apic_id[i];

		CHECK(id != 0xffffffff);
		CHECK(memmem(memory.bytes, memory.size, &id, id < 255 ? 1 : 4));
		for (unsigned k = 0; k < i; k++)
			CHECK(out->apic_id[k] != id);
	}
	for (unsigned i = out->ncpus; i < ACPI_MAX_CPUS; i++)
		CHECK(out->apic_id[i] == 0);
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
	if (!error)
		check_promises(out);
	return error;
}

/* Makes the byte at `at` such that the n bytes add up to 0. */
static void fix(uint8_t *bytes, size_t n, size_t at)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += bytes[i];
	bytes[at] -= sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct acpi_info out;

	memory = input_copy((struct input){ (void *)bytes, size }, size);
	parse(&out);
	free(memory.bytes);
	return 0;
}

/* Most tables add up again, wherever they are. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t room,
			       unsigned seed)
{
	static const char names[][5] = { "XSDT", "RSDT", "APIC" };
	uint32_t len;

	size = LLVMFuzzerMutate(bytes, size, room);
	for (size_t at = 0; at + 36 <= size; at++)
		for (size_t i = 0; i < 3; i++) {
			if (memcmp(bytes + at, names[i], 4) ||
			    !(seed >> i & 3))
				continue;
			memcpy(&len, bytes + at + 4, 4);
			if (len >= 36 && len <= size - at)
				fix(bytes + at, len, 9);
		}
	if (size >= 36 && seed >> 5 & 7) {
		fix(bytes, 20, 8);
		fix(bytes, 36, 32);
	}
	return size;
}

int main(void)
{
	struct acpi_info out;
	const char *error;

	memory = input_stdin();
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
