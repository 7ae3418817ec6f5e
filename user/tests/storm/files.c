/*
 * files.c - files that are written, cut, replaced, renamed, removed and read
 * by mapping them, each with a copy in our memory that says what is in it;
 * and the initrd's files, which must be what the archive holds.
 */
#include <stdio.h>
#include <string.h>

#include "user/lib/fs.h"
#include "user/tests/storm/storm.h"

#define NFILES 3u
#define FILE_BYTES (6 * PAGE)
#define PIECE_BYTES 5000u /* more than one request */
#define ARCHIVED_MAX 96u

struct own {
	char path[40];
	unsigned name; /* the number in it */
	uint64_t file, size;
	char *bytes; /* FILE_BYTES; zeros behind `size` */
};

/* The initrd's; filled by the first thread of a task that wants them. */
static struct archived {
	char path[64];
	const char *bytes;
	uint64_t size;
} archived[ARCHIVED_MAX];
static unsigned narchived;
static struct ulock archived_lock;

static void note_name(const char *name, uint64_t size, void *arg)
{
	struct archived *a = &archived[narchived];

	(void)arg;
	if (narchived == ARCHIVED_MAX || size == 0)
		return;
	snprintf(a->path, sizeof(a->path), "%s", name);
	narchived++;
}

static void read_archive(void)
{
	ulock_take(&archived_lock);
	if (!narchived)
		initrd_each(note_name, NULL);
	for (unsigned i = 0; i < narchived && !archived[i].bytes; i++)
		initrd_file(archived[i].path, &archived[i].bytes,
			    &archived[i].size);
	ulock_drop(&archived_lock);
}

/* Is the file just this? */
static void check_file(struct worker *w, const char *path, const char *bytes,
		       uint64_t size)
{
	struct fs_stat stat;
	uint64_t length;
	long error;
	const char *data = fs_read_map(path, &length, &error);

	if (!storm_check(w, error == 0 && length == size,
			 "size of an open file", length) ||
	    !storm_check(w, fs_stat(path, &stat) == 0 && stat.size == size,
			 "size of a file", stat.size))
		klogf("%s has not %llu bytes", path, (unsigned long long)size);
	else if (!storm_check(w, size == 0 || memcmp(data, bytes, size) == 0,
			      "bytes of a file", size))
		klogf("%s", path);
	if (error == 0)
		fs_unmap(data, length);
}

static void must(struct worker *w, long error, const struct own *f,
		 const char *what)
{
	if (!storm_check(w, error == 0, what, f->size))
		klogf("%s: %s", f->path, fs_strerror(error));
}

/* Makes it, or empties it. */
static void make(struct worker *w, struct own *f)
{
	uint64_t size;

	must(w, fs_open(f->path, FS_CREATE | FS_EMPTY, &f->file, &size), f,
	     "make");
	memset(f->bytes, 0, FILE_BYTES);
	f->size = 0;
}

/* Puts bytes at `at`; the file's end and what is behind it are legal. */
static void put(struct worker *w, struct own *f, uint64_t at)
{
	uint64_t n = 1 + storm_random(w, PIECE_BYTES);
	bool append = at == f->size;

	if (n > FILE_BYTES - at)
		n = FILE_BYTES - at;
	for (uint64_t i = 0; i < n; i++)
		f->bytes[at + i] = (char)storm_random(w, 256);
	must(w, append ? fs_append(f->file, f->bytes + at, n)
		       : fs_write(f->file, at, f->bytes + at, n), f, "write");
	if (at + n > f->size)
		f->size = at + n;
}

static void cut(struct worker *w, struct own *f)
{
	uint64_t size = storm_random(w, f->size + 1);

	must(w, fs_truncate(f->file, size), f, "truncate");
	memset(f->bytes + size, 0, FILE_BYTES - size);
	f->size = size;
}

static void rename_file(struct worker *w, struct own *f)
{
	char to[40];

	f->name += NFILES;
	snprintf(to, sizeof(to), STORM_FOLDER "/%u-%u", w->id, f->name);
	must(w, fs_rename(f->path, to), f, "rename");
	memcpy(f->path, to, sizeof(to));
}

/* Who has it mapped keeps what is replaced, or removed. */
static void replace(struct worker *w, struct own *f, bool remove)
{
	uint64_t size, sum = 0, again = 0;
	long error;
	const char *old = fs_read_map(f->path, &size, &error);

	storm_check(w, error == 0 && size == f->size, "size before the end",
		    size);
	for (uint64_t i = 0; i < size; i++)
		sum = sum * 31 + (uint8_t)f->bytes[i];
	if (remove)
		must(w, fs_remove(f->path), f, "remove");
	make(w, f);
	put(w, f, 0);
	for (uint64_t i = 0; i < size; i++)
		again = again * 31 + (uint8_t)old[i];
	storm_check(w, sum == again, "bytes of a file that is gone", size);
	fs_unmap(old, size);
}

static void one(struct worker *w, struct own *f)
{
	const struct archived *a = &archived[storm_random(w, narchived)];

	switch (storm_random(w, 8)) {
	case 0:
		put(w, f, f->size < FILE_BYTES ? f->size : 0);
		break;
	case 1:
		put(w, f, storm_random(w, FILE_BYTES));
		break;
	case 2:
		cut(w, f);
		break;
	case 3:
		rename_file(w, f);
		break;
	case 4:
		replace(w, f, storm_random(w, 2));
		break;
	case 5:
		check_file(w, f->path, f->bytes, f->size);
		break;
	default:
		check_file(w, a->path, a->bytes, a->size);
	}
	w->ops++;
}

void storm_files(struct worker *w)
{
	struct own own[NFILES] = { 0 };

	read_archive();
	for (unsigned i = 0; i < NFILES; i++) {
		struct own *f = &own[i];

		f->name = i;
		f->bytes = malloc(FILE_BYTES);
		snprintf(f->path, sizeof(f->path), STORM_FOLDER "/%u-%u",
			 w->id, i);
		if (!storm_check(w, f->bytes && narchived, "no memory", 0))
			return;
		make(w, f);
	}
	while (!storm_stopped(w))
		one(w, &own[storm_random(w, NFILES)]);
	for (unsigned i = 0; i < NFILES; i++) {
		check_file(w, own[i].path, own[i].bytes, own[i].size);
		must(w, fs_remove(own[i].path), &own[i], "remove");
	}
	for (unsigned i = 0; i < narchived; i++)
		check_file(w, archived[i].path, archived[i].bytes,
			   archived[i].size);
}
