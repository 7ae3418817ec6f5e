/*
 * tar.c - reads a tar archive (ustar). See tar.h.
 *
 * A header is believed only after its checksum; a size only if the file then
 * ends inside the archive. The archive must end with two empty blocks, so
 * that one which was cut off is noticed.
 */
#include "user/lib/tar.h"

#include <string.h>

/* Offsets in a header block. */
enum {
	AT_NAME = 0,
	AT_SIZE = 124,
	AT_CHECKSUM = 148,
	AT_TYPE = 156,
	AT_MAGIC = 257,
	AT_PREFIX = 345,
	LEN_NAME = 100,
	LEN_NUMBER = 12,
	LEN_CHECKSUM = 8,
	LEN_PREFIX = 155,
};

static void open_any(struct tar *t)
{
	if (t->size == 0)
		t->error = "the archive is empty";
	else if (t->size < 2 * TAR_BLOCK)
		t->error = "the archive is truncated";
}

void tar_open(struct tar *t, const void *bytes, size_t size)
{
	*t = (struct tar){ .bytes = bytes, .size = size };
	open_any(t);
}

void tar_open_blocks(struct tar *t, tar_block_fn *block, void *arg,
		     uint64_t size)
{
	*t = (struct tar){ .block = block, .arg = arg, .size = size };
	open_any(t);
}

/* Inside the archive. */
static const uint8_t *block_at(const struct tar *t, uint64_t at)
{
	return t->bytes ? t->bytes + at : t->block(t->arg, at);
}

/* An octal number, after blanks, up to a blank, a NUL or the field's end. */
static bool octal(const uint8_t *field, size_t length, uint64_t *value)
{
	size_t i = 0, digits = 0;

	*value = 0;
	while (i < length && field[i] == ' ')
		i++;
	for (; i < length && field[i] >= '0' && field[i] <= '7'; i++) {
		if (*value >> 60)
			return false;
		*value = *value * 8 + (field[i] - '0');
		digits++;
	}
	return digits > 0 &&
	       (i == length || field[i] == ' ' || field[i] == '\0');
}

static bool all_zero(const uint8_t *block)
{
	for (size_t i = 0; i < TAR_BLOCK; i++)
		if (block[i])
			return false;
	return true;
}

/* The sum of the header's bytes, its checksum field taken as blanks. */
static uint64_t checksum(const uint8_t *header)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < TAR_BLOCK; i++) {
		bool own = i >= AT_CHECKSUM &&
			   i < AT_CHECKSUM + LEN_CHECKSUM;

		sum += own ? ' ' : header[i];
	}
	return sum;
}

/* prefix/name, without a leading "./". */
static void copy_name(char *to, const uint8_t *header)
{
	const char *name = (const char *)header + AT_NAME;
	const char *prefix = (const char *)header + AT_PREFIX;
	size_t prefix_len = strnlen(prefix, LEN_PREFIX);
	size_t name_len = strnlen(name, LEN_NAME);

	if (prefix_len) {
		memcpy(to, prefix, prefix_len);
		to += prefix_len;
		*to++ = '/';
	} else if (name_len >= 2 && name[0] == '.' && name[1] == '/') {
		name += 2;
		name_len -= 2;
	}
	memcpy(to, name, name_len);
	to[name_len] = '\0';
}

static bool damaged(struct tar *t, const char *error)
{
	t->error = error;
	return false;
}

/* At an empty block: the end, if a second one follows. */
static bool at_end(struct tar *t)
{
	const uint8_t *second;

	if (t->size - t->next < 2 * TAR_BLOCK)
		return damaged(t, "the archive is truncated");
	second = block_at(t, t->next + TAR_BLOCK);
	if (!second)
		return damaged(t, "it cannot be read");
	if (!all_zero(second))
		return damaged(t, "an empty block inside the archive");
	t->next = t->size;
	return false;
}

bool tar_next(struct tar *t, struct tar_file *file)
{
	const uint8_t *header;
	uint64_t sum, size;

	if (t->error || t->next == t->size)
		return false;
	if (t->size - t->next < TAR_BLOCK)
		return damaged(t, "the archive is truncated");
	header = block_at(t, t->next);
	if (!header)
		return damaged(t, "it cannot be read");
	if (all_zero(header))
		return at_end(t);
	if (!octal(header + AT_CHECKSUM, LEN_CHECKSUM, &sum) ||
	    sum != checksum(header))
		return damaged(t, "a header's checksum does not match");
	if (memcmp(header + AT_MAGIC, "ustar", 5) != 0)
		return damaged(t, "a header is not of the ustar format");
	if (!octal(header + AT_SIZE, LEN_NUMBER, &size))
		return damaged(t, "a file's size is not a number");
	t->next += TAR_BLOCK;
	if (size > t->size - t->next)
		return damaged(t, "the archive is truncated inside a file");
	copy_name(file->name, header);
	file->at = t->next;
	file->data = t->bytes ? t->bytes + t->next : NULL;
	file->size = size;
	file->folder = header[AT_TYPE] == '5';
	file->regular = header[AT_TYPE] == '0' || header[AT_TYPE] == '\0';
	size = (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
	if (size >= t->size - t->next)
		return damaged(t, "the archive is truncated");
	t->next += size;
	return true;
}

const char *tar_find(const void *bytes, size_t size, const char *name,
		     struct tar_file *file)
{
	struct tar_file each;
	struct tar tar;
	bool found = false;

	tar_open(&tar, bytes, size);
	while (tar_next(&tar, &each)) {
		if (!each.regular || strcmp(each.name, name) != 0)
			continue;
		*file = each;
		found = true;
	}
	if (tar.error)
		return tar.error;
	return found ? NULL : TAR_NOT_FOUND;
}
