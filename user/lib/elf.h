/*
 * elf.h - checks a program file and says what to map where.
 *
 * Pure: no system calls, no allocation; every access is checked against the
 * file's length. Also built on the host, by tests. Only what Weir runs is
 * accepted: 64-bit x86-64 executables, linked statically at fixed addresses,
 * whose segments lie in user space, apart from each other, and are never
 * both writable and executable.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kernel/abi/weir.h"

#define ELF_SEGMENTS_MAX 8

struct elf_segment {
	uint64_t page;  /* first address, rounded down to a page */
	uint64_t pages; /* pages that it occupies, its zeroes too */
	uint64_t skip;  /* bytes of the first page before its data */
	const uint8_t *data;
	uint64_t filesz; /* bytes of data; the rest is zero */
	unsigned prot;   /* enum weir_prot */
};

struct elf {
	uint64_t entry;
	unsigned nsegments;
	struct elf_segment segments[ELF_SEGMENTS_MAX];
};

/* NULL, or why the file cannot be run. */
const char *elf_parse(const void *file, size_t size, struct elf *out);
