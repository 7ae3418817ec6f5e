/*
 * acpi.c - CPUs and interrupt controllers from the ACPI tables.
 *
 * RSDP -> XSDT (or RSDT) -> MADT, types 0 (CPU), 1 (IOAPIC), 2 (ISA
 * override), 5 (APIC address) and 9 (CPU with an x2APIC id). Firmware is not
 * trusted: lengths and checksums first. Nothing is kept mapped.
 */
#include "arch/x86_64/acpi.h"

#include "arch/x86_64/string.h"

#define RSDP1_BYTES 20
#define RSDP2_BYTES 36
#define HEADER_BYTES 36
#define MADT_ENTRIES 44 /* after the header: APIC address, flags */
#define CPU_ENABLED 1
#define CPU_BROADCAST 0xffffffffu

static uint64_t get(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

static int sum_is_zero(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum += *p++;
	return sum == 0;
}

/* The whole table at `pa`, checked; NULL if it is none. */
static const uint8_t *map_table(acpi_map_fn *map, uint64_t pa, size_t *len)
{
	const uint8_t *p = pa ? map(pa, HEADER_BYTES) : NULL;

	*len = p ? get(p + 4, 4) : 0;
	if (*len < HEADER_BYTES || *len > ACPI_LONGEST_TABLE)
		return NULL;
	p = map(pa, *len);
	return p && sum_is_zero(p, *len) ? p : NULL;
}

static void add_cpu(struct acpi_info *out, uint32_t id, uint32_t flags)
{
	/* LAB boot begin: a CPU counts if it is enabled, and once, whichever
	 * entries name it; what is above ACPI_MAX_CPUS is counted and not
	 * kept */
	if (!(flags & CPU_ENABLED) || id == CPU_BROADCAST)
		return;
	for (unsigned i = 0; i < out->ncpus && i < ACPI_MAX_CPUS; i++)
		if (out->apic_id[i] == id)
			return; /* named by both kinds of entry */
	if (out->ncpus < ACPI_MAX_CPUS)
		out->apic_id[out->ncpus] = id;
	out->ncpus++;
	/* LAB boot stub
	 * if (!out->ncpus)
	 * 	out->apic_id[out->ncpus++] = id;
	 */
	/* LAB boot end */
}

/* One entry of the MADT, `n` bytes long. Entries too short for their type
 * are an error; unknown types are not. */
static int add_entry(struct acpi_info *out, const uint8_t *e, unsigned n)
{
	static const uint8_t least[] = { 8, 12, 10, 0, 0, 12, 0, 0, 0, 16 };

	if (e[0] < sizeof(least) && n < least[e[0]])
		return 0;
	/* LAB boot begin: type 0: a CPU with a short id, in byte 3, and its
	 * flags, in the four from 4; 255 is the id of none */
	if (e[0] == 0 && e[3] != 0xff)
		add_cpu(out, e[3], get(e + 4, 4));
	/* LAB boot stub
	 * if (e[0] == 0 && !out->ncpus)
	 * 	add_cpu(out, 0, CPU_ENABLED);
	 */
	/* LAB boot end */
	else if (e[0] == 1 && out->nioapics < ACPI_MAX_IOAPICS)
		out->ioapic[out->nioapics++] = (struct acpi_ioapic){
			get(e + 4, 4), get(e + 8, 4) };
	else if (e[0] == 2 && e[2] == 0 && e[3] < ACPI_ISA_IRQS)
		out->isa[e[3]] = (struct acpi_isa){
			get(e + 4, 4), get(e + 8, 2) };
	else if (e[0] == 5)
		out->lapic_pa = get(e + 4, 8);
	/* LAB boot begin: type 9: a CPU with an x2APIC id, in the four bytes
	 * from 4, and its flags, in the four from 8 */
	else if (e[0] == 9)
		add_cpu(out, get(e + 4, 4), get(e + 8, 4));
	/* LAB boot end */
	return 1;
}

static const char *parse_madt(const uint8_t *t, size_t len,
			      struct acpi_info *out)
{
	if (len < MADT_ENTRIES)
		return "the MADT is too short";
	out->lapic_pa = get(t + HEADER_BYTES, 4);
	for (unsigned i = 0; i < ACPI_ISA_IRQS; i++)
		out->isa[i].gsi = i;
	for (size_t at = MADT_ENTRIES; at < len; at += t[at + 1])
		if (at + 2 > len || t[at + 1] < 2 || t[at + 1] > len - at ||
		    !add_entry(out, t + at, t[at + 1]))
			return "the MADT has an entry of a wrong length";
	return out->ncpus ? NULL : "the MADT names no enabled CPU";
}

const char *acpi_parse(const uint8_t *rsdp, acpi_map_fn *map,
		       struct acpi_info *out)
{
	size_t len;

	memset(out, 0, sizeof(*out));
	if (memcmp(rsdp, "RSD PTR ", 8) || !sum_is_zero(rsdp, RSDP1_BYTES))
		return "the RSDP is missing or corrupt";
	const size_t width = rsdp[15] >= 2 && sum_is_zero(rsdp, RSDP2_BYTES) &&
			     get(rsdp + 24, 8) ? 8 : 4;
	uint64_t pa = get(rsdp + (width == 8 ? 24 : 16), width);
	const uint8_t *root = map_table(map, pa, &len);
	if (!root || memcmp(root, width == 8 ? "XSDT" : "RSDT", 4))
		return "the ACPI root table is corrupt";
	for (size_t at = HEADER_BYTES; at + width <= len; at += width) {
		pa = get(root + at, width);
		const uint8_t *t = pa ? map(pa, HEADER_BYTES) : NULL;
		if (!t || memcmp(t, "APIC", 4))
			continue;
		t = map_table(map, pa, &len);
		return t ? parse_madt(t, len, out) : "the MADT is corrupt";
	}
	return "there is no MADT";
}
