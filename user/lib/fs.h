/*
 * fs.h - the protocol of the file server, and its client.
 *
 * A writable tree in memory. Who opens a file gets a handle on the memory
 * object that it is in, and reading is a mapping. The files of the initrd
 * are there from the start: parts of one paged object, whose pages fs
 * supplies from the archive. A file that was written is an anonymous object
 * of its own. Writing goes through the server, which knows a file's size.
 * Truncating or replacing a file makes a new object, and so does the first
 * write to one of the initrd: who has the old one mapped keeps it. The tar
 * archive of a disk can be mounted as a folder, which is only to be read.
 */
#pragma once

#include "user/lib/weir_user.h"

#define FS_PATH_BYTES 256u /* with its NUL */
#define FS_NAME_BYTES 32u  /* likewise */
#define FS_OWN_NODES 256u  /* files and folders */
#define FS_NODES 1024u     /* with those of mounts */
#define FS_MOUNTS 4u
#define FS_FILE_PAGES 4096ull
#define FS_DATA_BYTES WEIR_PAGE_SIZE

/* Errors of its own, beside enum weir_error. */
enum fs_error {
	FS_NONE = 64, /* no such file or folder */
	FS_EXISTS,
	FS_ISDIR,
	FS_NOTDIR,
	FS_NOTEMPTY,
	FS_NAME,    /* a name is too long, or not one */
	FS_FULL,    /* the table */
	FS_BIG,     /* the file would be */
	FS_INTO,    /* a folder cannot go into itself */
	FS_STALE,   /* the file was removed, or replaced */
	FS_ROOT,    /* not with the root */
	FS_READONLY, /* it is in a mounted archive, or where one is */
	FS_ARCHIVE, /* the disk cannot be mounted; the page says why */
	FS_NOMOUNT, /* nothing is mounted there */
};

enum fs_request {
	FS_OPEN = 1, /* w[0]: enum fs_flag -> w[0]: size, w[1]: file, handle:
		      * MemObj, only to be read; 0 if the size is 0; w[2]: the
		      * page of it where the file begins */
	FS_APPEND,   /* w[0]: file, w[1]: bytes, w[3]: a number that no other
		      * request has: a second request with it, after a crash,
		      * writes to the same place -> w[0]: size */
	FS_WRITE,    /* w[0]: file, w[1]: bytes, w[2]: where -> w[0]: size */
	FS_TRUNCATE, /* w[0]: file, w[1]: the new size, not above the old */
	FS_MKDIR,
	FS_REMOVE,   /* a file, or an empty folder */
	FS_RENAME,   /* path, to; replaces a file */
	FS_STAT,     /* -> w[0]: size, w[1]: is it a folder, w[2]: pages */
	FS_LIST,     /* w[0]: place -> w[0]: next place, w[1]: size, w[2]: a
		      * folder?, the name in the page; FS_NONE: no more */
	FS_MOUNT,    /* path: new, to: the disk (blk.h) */
	FS_UMOUNT,   /* path; EBUSY: a file of it is open or mapped */
};
enum fs_flag {
	FS_CREATE = 1,   /* make it if it is not there */
	FS_EMPTY = 2,    /* throw away what is in it */
	FS_NO_HANDLE = 4 /* only for writing */
};

/* The page of a request, on which it brings a handle. The server keeps
 * nothing of it: a client that dies leaves nothing behind. Paths are of names
 * of 1 to 31 bytes, with or without a slash in front; `.` and `..` are not
 * known. */
union fs_page {
	struct {
		char path[FS_PATH_BYTES], to[FS_PATH_BYTES];
	};
	char bytes[FS_DATA_BYTES];
};

struct fs_stat {
	uint64_t size;
	bool folder;
	char name[FS_NAME_BYTES]; /* of fs_list */
};

/* All return 0, or -enum weir_error, or -enum fs_error. */
bool fs_there(void); /* is there a file server? */
const char *fs_strerror(long error);

long fs_open(const char *path, unsigned flags, uint64_t *file,
	     uint64_t *size);
long fs_append(uint64_t file, const void *bytes, size_t length);
long fs_write(uint64_t file, uint64_t at, const void *bytes, size_t length);
long fs_truncate(uint64_t file, uint64_t size);
long fs_mkdir(const char *path);
long fs_remove(const char *path);
long fs_rename(const char *path, const char *to);
long fs_stat(const char *path, struct fs_stat *stat);
/* The entry at *place or after; moves *place on. -FS_NONE: no more. */
long fs_list(const char *path, uint64_t *place, struct fs_stat *stat);

/* `why` gets a sentence with FS_ARCHIVE. */
long fs_mount(const char *disk, const char *path, char why[FS_PATH_BYTES]);
long fs_umount(const char *path);

/* The whole file, mapped to be read. NULL with *error: 0 for an empty one. */
const void *fs_read_map(const char *path, uint64_t *size, long *error);
void fs_unmap(const void *data, uint64_t size);
/* For a program's input (stream.h). */
long fs_stream_in(const char *path, struct weir_stream *in);
/* For its output. */
long fs_stream_out(const char *path, bool append, struct weir_stream *out);
