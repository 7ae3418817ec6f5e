/*
 * elf.c - checks a program file and says what to map where. See elf.h.
 *
 * Nothing in the file is believed: each offset and length is compared with
 * what is left, by subtraction, so that no sum can overflow.
 */
#include "user/lib/elf.h"

#include <stdbool.h>
#include <string.h>

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_phdr {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

enum {
	CLASS_64 = 2,
	DATA_LITTLE = 1,
	TYPE_EXEC = 2,
	MACHINE_X86_64 = 62,
	PT_LOAD = 1,
	PT_DYNAMIC = 2,
	PT_INTERP = 3,
	PF_X = 1,
	PF_W = 2,
	PF_R = 4,
};

static const char *check_header(const struct elf_header *h, size_t size)
{
	if (memcmp(h->ident, "\177ELF", 4) != 0)
		return "not an ELF file";
	if (h->ident[4] != CLASS_64 || h->ident[5] != DATA_LITTLE)
		return "not a 64-bit little-endian ELF file";
	if (h->machine != MACHINE_X86_64)
		return "not for x86-64";
	if (h->type != TYPE_EXEC)
		return "not an executable linked at fixed addresses";
	if (h->phentsize != sizeof(struct elf_phdr))
		return "program headers of a strange size";
	if (h->phnum == 0)
		return "no program headers";
	if (h->phoff > size ||
	    h->phnum > (size - h->phoff) / sizeof(struct elf_phdr))
		return "truncated: program headers outside the file";
	return NULL;
}

static const char *check_segment(const struct elf_phdr *p, size_t size)
{
	if (p->filesz > p->memsz)
		return "a segment is larger in the file than in memory";
	if (p->offset > size || p->filesz > size - p->offset)
		return "truncated: a segment is outside the file";
	if (p->vaddr < WEIR_USER_BASE || p->vaddr >= WEIR_USER_TOP ||
	    p->memsz > WEIR_USER_TOP - p->vaddr)
		return "a segment is outside user space";
	if ((p->flags & PF_W) && (p->flags & PF_X))
		return "a segment is both writable and executable";
	return NULL;
}

static bool overlap(const struct elf_segment *a, const struct elf_segment *b)
{
	return a->page < b->page + b->pages * WEIR_PAGE_SIZE &&
	       b->page < a->page + a->pages * WEIR_PAGE_SIZE;
}

static const char *add_segment(const uint8_t *file, const struct elf_phdr *p,
			       struct elf *out)
{
	struct elf_segment *s = &out->segments[out->nsegments];

	if (out->nsegments == ELF_SEGMENTS_MAX)
		return "too many segments";
	s->skip = p->vaddr % WEIR_PAGE_SIZE;
	s->page = p->vaddr - s->skip;
	s->pages = (s->skip + p->memsz + WEIR_PAGE_SIZE - 1) / WEIR_PAGE_SIZE;
	s->data = file + p->offset;
	s->filesz = p->filesz;
	s->prot = (p->flags & PF_R ? WEIR_P_READ : 0) |
		  (p->flags & PF_W ? WEIR_P_READ | WEIR_P_WRITE : 0) |
		  (p->flags & PF_X ? WEIR_P_READ | WEIR_P_EXEC : 0);
	for (unsigned i = 0; i < out->nsegments; i++)
		if (overlap(&out->segments[i], s))
			return "segments overlap, or share a page";
	out->nsegments++;
	return NULL;
}

static bool entry_is_code(const struct elf *elf)
{
	for (unsigned i = 0; i < elf->nsegments; i++) {
		const struct elf_segment *s = &elf->segments[i];

		if ((s->prot & WEIR_P_EXEC) &&
		    elf->entry >= s->page + s->skip &&
		    elf->entry - s->page - s->skip < s->filesz)
			return true;
	}
	return false;
}

const char *elf_parse(const void *file, size_t size, struct elf *out)
{
	const uint8_t *bytes = file;
	const char *error;
	struct elf_header h;
	struct elf_phdr p;

	*out = (struct elf){ 0 };
	if (size < sizeof(h))
		return "truncated: no ELF header";
	memcpy(&h, bytes, sizeof(h)); /* the file may lie at any address */
	error = check_header(&h, size);
	for (unsigned i = 0; !error && i < h.phnum; i++) {
		memcpy(&p, bytes + h.phoff + i * sizeof(p), sizeof(p));
		if (p.type == PT_INTERP || p.type == PT_DYNAMIC)
			error = "linked dynamically";
		if (p.type != PT_LOAD || p.memsz == 0)
			continue;
		error = check_segment(&p, size);
		if (!error)
			error = add_segment(bytes, &p, out);
	}
	if (error)
		return error;
	out->entry = h.entry;
	if (out->nsegments == 0)
		return "no segment to load";
	if (!entry_is_code(out))
		return "the entry point is not in its code";
	return NULL;
}
