/*
 * tar.h - reads a tar archive (ustar) that lies in memory, or block by block.
 *
 * Pure: no system calls, no allocation, no writing; every access is checked
 * against the archive's length. Also built on the host, by tests.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAR_BLOCK 512u
#define TAR_NAME_MAX 257u /* prefix, slash, name, end */

/* The block at byte `at`, until the next call; NULL: it cannot be read. */
typedef const uint8_t *tar_block_fn(void *arg, uint64_t at);

struct tar {
	const uint8_t *bytes; /* NULL: it is read with `block` */
	tar_block_fn *block;
	void *arg;
	uint64_t size;
	uint64_t next;     /* offset of the next header */
	const char *error; /* NULL, or what is wrong with the archive */
};

struct tar_file {
	char name[TAR_NAME_MAX];
	uint64_t at;         /* of its first byte in the archive */
	const uint8_t *data; /* where that is; NULL: not in memory */
	uint64_t size;
	bool regular; /* a plain file */
	bool folder;
};

void tar_open(struct tar *t, const void *bytes, size_t size);
void tar_open_blocks(struct tar *t, tar_block_fn *block, void *arg,
		     uint64_t size);

/* The next entry. False at the end of the archive, and where it is damaged:
 * then t->error says how. */
bool tar_next(struct tar *t, struct tar_file *file);

/* Looks for a plain file of this name. NULL, or why there is none; a damaged
 * archive is an error even if the file was found before the damage. */
const char *tar_find(const void *bytes, size_t size, const char *name,
		     struct tar_file *file);
#define TAR_NOT_FOUND "no such file"
