/*
 * fs.c - the client of the file server.
 *
 * Data: its endpoint, looked up by name on first use, and the page that
 * requests take along, under `lock`.
 */
#include "user/lib/fs.h"

#include <string.h>

#include "user/lib/names.h"
#include "user/lib/stream.h"

static struct ulock lock;
static handle_t ep; /* 0: not looked up yet */
static union fs_page *page;
static handle_t page_mem;

const char *fs_strerror(long error)
{
	static const char *const text[] = {
		[FS_NONE - FS_NONE] = "no such file or folder",
		[FS_EXISTS - FS_NONE] = "it is there already",
		[FS_ISDIR - FS_NONE] = "it is a folder",
		[FS_NOTDIR - FS_NONE] = "not a folder",
		[FS_NOTEMPTY - FS_NONE] = "the folder is not empty",
		[FS_NAME - FS_NONE] = "a name is empty or too long",
		[FS_FULL - FS_NONE] = "the table of files is full",
		[FS_BIG - FS_NONE] = "the file would be too big",
		[FS_INTO - FS_NONE] = "a folder cannot go into itself",
		[FS_STALE - FS_NONE] = "the file was removed or replaced",
		[FS_ROOT - FS_NONE] = "not possible with the root",
		[FS_READONLY - FS_NONE] = "it is of a mounted archive",
		[FS_ARCHIVE - FS_NONE] = "the disk cannot be mounted",
		[FS_NOMOUNT - FS_NONE] = "nothing is mounted there",
	};
	unsigned long n = error < 0 ? -(unsigned long)error
				    : (unsigned long)error;

	if (n < FS_NONE || n > FS_NOMOUNT)
		return weir_strerror(error);
	return text[n - FS_NONE];
}

/* Under the lock. */
static bool connect(void)
{
	long h;

	if (!ep && startup->names) {
		h = names_lookup("fs");
		ep = h < 0 ? 0 : (handle_t)h;
	}
	if (ep && !page)
		page = pages_map(1, &page_mem);
	return ep && page;
}

bool fs_there(void)
{
	bool there;

	ulock_take(&lock);
	there = connect();
	ulock_drop(&lock);
	return there;
}

/* One request with what belongs in its page; the reply is in *m, and as many
 * bytes of the page in `back`. */
static long request(struct weir_msg *m, const char *path, const char *to,
		    const void *bytes, size_t length, char *back,
		    size_t back_bytes)
{
	long error = -WEIR_ENOSYS;

	if ((path && strlen(path) >= FS_PATH_BYTES) ||
	    (to && strlen(to) >= FS_PATH_BYTES))
		return -FS_NAME;
	ulock_take(&lock);
	if (connect()) {
		if (path)
			strcpy(page->path, path);
		if (to)
			strcpy(page->to, to);
		if (bytes)
			memcpy(page->bytes, bytes, length);
		error = server_call(ep, m, page_mem,
				    WEIR_R_READ | WEIR_R_WRITE);
		if (back)
			memcpy(back, page->bytes, back_bytes);
	}
	ulock_drop(&lock);
	return error;
}

static long simple(enum fs_request label, const char *path, const char *to)
{
	struct weir_msg m = { .label = label };

	return request(&m, path, to, NULL, 0, NULL, 0);
}

/* What an open file is. */
struct opened {
	uint64_t file, size;
	handle_t mem;  /* 0 for an empty file */
	uint64_t page; /* of mem, where it begins */
};

static long open_file(const char *path, unsigned flags, struct opened *o)
{
	struct weir_msg m = { .label = FS_OPEN, .w = { flags } };
	long error = request(&m, path, NULL, NULL, 0, NULL, 0);

	*o = (struct opened){ 0 };
	if (error == 0)
		*o = (struct opened){ m.w[1], m.w[0], m.handle, m.w[2] };
	return error;
}

long fs_open(const char *path, unsigned flags, uint64_t *file, uint64_t *size)
{
	struct opened o;
	long error = open_file(path, flags | FS_NO_HANDLE, &o);

	*file = o.file;
	*size = o.size;
	return error;
}

/* In pieces that fit into the page. */
static long write_pieces(struct weir_msg first, uint64_t at,
			 const char *bytes, size_t length)
{
	static uint64_t count;
	struct weir_msg m;
	long error = 0;
	size_t n;

	for (size_t done = 0; error == 0 && done < length; done += n) {
		n = length - done < FS_DATA_BYTES ? length - done
						  : FS_DATA_BYTES;
		m = first;
		m.w[1] = n;
		m.w[2] = at + done;
		m.w[3] = now_ns() + (__atomic_fetch_add(&count, 1,
						       __ATOMIC_RELAXED) << 48);
		error = request(&m, NULL, NULL, bytes + done, n, NULL, 0);
	}
	return error;
}

long fs_append(uint64_t file, const void *bytes, size_t length)
{
	return write_pieces((struct weir_msg){ .label = FS_APPEND,
					       .w = { file } },
			    0, bytes, length);
}

long fs_write(uint64_t file, uint64_t at, const void *bytes, size_t length)
{
	return write_pieces((struct weir_msg){ .label = FS_WRITE,
					       .w = { file } },
			    at, bytes, length);
}

long fs_truncate(uint64_t file, uint64_t size)
{
	struct weir_msg m = { .label = FS_TRUNCATE, .w = { file, size } };

	return request(&m, NULL, NULL, NULL, 0, NULL, 0);
}

long fs_mkdir(const char *path)
{
	return simple(FS_MKDIR, path, NULL);
}

long fs_remove(const char *path)
{
	return simple(FS_REMOVE, path, NULL);
}

long fs_rename(const char *path, const char *to)
{
	return simple(FS_RENAME, path, to);
}

long fs_stat(const char *path, struct fs_stat *stat)
{
	struct weir_msg m = { .label = FS_STAT };
	long error = request(&m, path, NULL, NULL, 0, NULL, 0);

	*stat = (struct fs_stat){ .size = m.w[0], .folder = m.w[1] };
	return error;
}

long fs_list(const char *path, uint64_t *place, struct fs_stat *stat)
{
	struct weir_msg m = { .label = FS_LIST, .w = { *place } };
	long error = request(&m, path, NULL, NULL, 0, stat->name,
			     FS_NAME_BYTES);

	if (error < 0)
		return error;
	*place = m.w[0];
	stat->size = m.w[1];
	stat->folder = m.w[2];
	stat->name[FS_NAME_BYTES - 1] = '\0';
	return 0;
}

long fs_mount(const char *disk, const char *path, char why[FS_PATH_BYTES])
{
	struct weir_msg m = { .label = FS_MOUNT };

	why[0] = '\0';
	return request(&m, path, disk, NULL, 0, why, FS_PATH_BYTES);
}

long fs_umount(const char *path)
{
	return simple(FS_UMOUNT, path, NULL);
}

const void *fs_read_map(const char *path, uint64_t *size, long *error)
{
	struct opened o;
	long va;

	*error = open_file(path, 0, &o);
	*size = o.size;
	if (!o.mem)
		return NULL;
	va = sys_mem_map(startup->self, o.mem, o.page, 0,
			 (o.size + WEIR_PAGE_SIZE - 1) / WEIR_PAGE_SIZE,
			 WEIR_P_READ);
	sys_handle_close(o.mem);
	*error = va < 0 ? va : 0;
	return va < 0 ? NULL : (const void *)va;
}

void fs_unmap(const void *data, uint64_t size)
{
	if (data)
		pages_unmap((void *)data, (size + WEIR_PAGE_SIZE - 1) /
						  WEIR_PAGE_SIZE);
}

long fs_stream_in(const char *path, struct weir_stream *in)
{
	struct opened o;
	long error = open_file(path, 0, &o);

	*in = (struct weir_stream){ .kind = STREAM_FILE, .size = o.size,
				    .id = (uint32_t)o.page,
				    .handle = { o.mem } };
	return error;
}

long fs_stream_out(const char *path, bool append, struct weir_stream *out)
{
	uint64_t size;

	*out = (struct weir_stream){ .kind = STREAM_FILE };
	return fs_open(path, FS_CREATE | (append ? 0 : FS_EMPTY), &out->size,
		       &size);
}
