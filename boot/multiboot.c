/*
 * multiboot.c - from multiboot2 tags to struct bootinfo.
 *
 * A tag is used only after its length was checked against the rest of the
 * information and against what is read from it. More modules or memory-map
 * entries than fit are an error, not a silent loss. Also compiles on the
 * host.
 */
#include "boot/bootinfo.h"

#define MAGIC 0x36d76289
#define LONGEST_INFO (1u << 20)
#define RSDP1_BYTES 20

enum tag_type {
	TAG_END, TAG_CMDLINE, TAG_MODULE = 3, TAG_MMAP = 6,
	TAG_ACPI_OLD = 14, TAG_ACPI_NEW,
};

struct tag {
	uint32_t type, size; /* of all the tag, without padding */
};

struct tag_module {
	struct tag tag;
	uint32_t start, end;
	char cmdline[];
};

struct tag_mmap {
	struct tag tag;
	uint32_t entry_size, version;
};

/* Copies text that ends at a NUL, at `stop`, or after `n` bytes, into a
 * buffer of `room`. Returns false if it does not fit. */
static bool copy_text(char *to, size_t room, const char *from, size_t n,
		      char stop)
{
	size_t len = 0;

	while (len < n && from[len] && from[len] != stop)
		len++;
	if (len >= room)
		return false;
	__builtin_memcpy(to, from, len);
	to[len] = 0;
	return true;
}

static const char *add_module(const struct tag *t, struct bootinfo *out)
{
	const struct tag_module *m = (const void *)t;

	if (t->size < sizeof(*m) || m->end < m->start)
		return "a module's boot tag is malformed";
	if (out->nmodules == BOOT_MAX_MODULES)
		return "the boot loader passed too many modules";
	struct boot_module *to = &out->module[out->nmodules++];
	to->pa = m->start;
	to->len = m->end - m->start;
	return copy_text(to->name, sizeof(to->name), m->cmdline,
			 t->size - sizeof(*m), ' ') ?
		       NULL : "a module's name is too long";
}

static const char *add_mmap(const struct tag *t, struct bootinfo *out)
{
	const struct tag_mmap *m = (const void *)t;

	if (t->size < sizeof(*m) || m->entry_size < sizeof(struct boot_range))
		return "the memory map's boot tag is malformed";
	for (size_t at = sizeof(*m); at + m->entry_size <= t->size;
	     at += m->entry_size) {
		const void *range = (const char *)t + at;

		if (out->nmmap == BOOT_MAX_MMAP)
			return "the memory map has too many entries";
		out->mmap[out->nmmap++] = *(const struct boot_range *)range;
	}
	return NULL;
}

/* ACPI 2's pointer wins over ACPI 1's, whichever comes first. */
static void add_rsdp(const struct tag *t, struct bootinfo *out)
{
	size_t n = t->size - sizeof(*t);

	if (n < RSDP1_BYTES || (t->type == TAG_ACPI_OLD && out->rsdp[0]))
		return;
	if (n > sizeof(out->rsdp))
		n = sizeof(out->rsdp);
	__builtin_memset(out->rsdp, 0, sizeof(out->rsdp));
	__builtin_memcpy(out->rsdp, t + 1, n);
}

const char *multiboot_parse(uint32_t magic, const void *info,
			    struct bootinfo *out)
{
	const uint32_t *total = info;

	if (magic != MAGIC)
		return "the kernel was not started by multiboot2";
	if (*total < 8 || *total > LONGEST_INFO)
		return "the boot information's length is absurd";
	for (size_t at = 8; at + sizeof(struct tag) <= *total;) {
		const struct tag *t = (const void *)((const char *)info + at);
		const char *wrong = NULL;

		if (t->type == TAG_END)
			break;
		if (t->size < sizeof(*t) || t->size > *total - at)
			return "a boot tag is longer than the information";
		if (t->type == TAG_MODULE)
			wrong = add_module(t, out);
		else if (t->type == TAG_MMAP)
			wrong = add_mmap(t, out);
		else if (t->type == TAG_ACPI_OLD || t->type == TAG_ACPI_NEW)
			add_rsdp(t, out);
		else if (t->type == TAG_CMDLINE &&
			 !copy_text(out->cmdline, sizeof(out->cmdline),
				    (const char *)(t + 1),
				    t->size - sizeof(*t), 0))
			wrong = "the kernel's command line is too long";
		if (wrong)
			return wrong;
		at += (t->size + 7) & ~(size_t)7;
	}
	return out->nmmap ? NULL : "the boot loader passed no memory map";
}
