/*
 * files.c - the file server's promises, as a program sees them.
 */
#include <stdio.h>
#include <string.h>

#include "user/lib/fs.h"
#include "user/lib/stream.h"
#include "user/tests/servers/check.h"

static bool has(const char *path, const char *text, uint64_t length)
{
	uint64_t size;
	long error;
	const char *data = fs_read_map(path, &size, &error);
	bool same = error == 0 && size == length &&
		    (!size || memcmp(data, text, length) == 0);

	fs_unmap(data, size);
	return same;
}

uint64_t make_file(const char *path, const char *text)
{
	uint64_t file, size;

	CHECK(fs_open(path, FS_CREATE | FS_EMPTY, &file, &size) == 0);
	CHECK(fs_append(file, text, strlen(text)) == 0);
	return file;
}

static void test_fs_errors(void)
{
	char name[300];
	uint64_t file, size;

	CHECK(fs_mkdir("/t/a") == -FS_EXISTS);
	CHECK(fs_mkdir("/t/no/b") == -FS_NONE);
	CHECK(fs_mkdir("/t/f/b") == -FS_NOTDIR);
	CHECK(fs_mkdir("/") == -FS_EXISTS);
	CHECK(fs_remove("/t/a") == -FS_NOTEMPTY);
	CHECK(fs_remove("/") == -FS_ROOT);
	CHECK(fs_remove("/t/no") == -FS_NONE);
	CHECK(fs_rename("/t", "/t/a/t") == -FS_INTO);
	CHECK(fs_rename("/t/a", "/t/a") == 0);
	CHECK(fs_rename("/", "/t/r") == -FS_ROOT);
	CHECK(fs_rename("/t/f", "/t/a") == -FS_ISDIR);
	CHECK(fs_rename("/t/a", "/t/f") == -FS_NOTDIR);
	CHECK(fs_rename("/t/no", "/t/x") == -FS_NONE);
	CHECK(fs_open("/t/a", FS_CREATE, &file, &size) == -FS_ISDIR);
	CHECK(fs_open("/t/no", 0, &file, &size) == -FS_NONE);
	CHECK(fs_open("/t/../f", 0, &file, &size) == -FS_NAME);
	memset(name, 'n', sizeof(name));
	memcpy(name, "/t/", 3);
	name[3 + FS_NAME_BYTES] = '\0';
	CHECK(fs_mkdir(name) == -FS_NAME);
	name[3 + FS_NAME_BYTES] = 'n';
	name[299] = '\0';
	CHECK(fs_mkdir(name) == -FS_NAME);
	CHECK(fs_write(12345678, 0, "x", 1) == -FS_STALE);
	CHECK(fs_open("/t/f", 0, &file, &size) == 0);
	CHECK(fs_write(file, FS_FILE_PAGES * WEIR_PAGE_SIZE, "x", 1) ==
	      -FS_BIG);
	CHECK(fs_truncate(file, size + 1) == -WEIR_EINVAL);
}

/* Fills the table, and empties it again. */
static void test_fs_full(void)
{
	uint64_t file, size;
	long error = 0;
	char path[40];
	int n;

	for (n = 0; error == 0 && n < 1000; n++) {
		snprintf(path, sizeof(path), "/t/full%d", n);
		error = fs_open(path, FS_CREATE, &file, &size);
	}
	CHECK(error == -FS_FULL);
	CHECK(fs_mkdir("/t/one-more") == -FS_FULL);
	for (n -= 2; n >= 0; n--) {
		snprintf(path, sizeof(path), "/t/full%d", n);
		CHECK(fs_remove(path) == 0);
	}
	CHECK(fs_mkdir("/t/one-more") == 0 && fs_remove("/t/one-more") == 0);
}

/* A mapping is the file as it was opened: who writes is seen, who replaces
 * is not. And nobody can write through it. */
static void test_fs_mapping(void)
{
	uint64_t file = make_file("/t/map", "first"), size;
	struct weir_stream in;
	const char *data;
	long error;

	data = fs_read_map("/t/map", &size, &error);
	CHECK(error == 0 && size == 5);
	CHECK(fs_write(file, 0, "F", 1) == 0 && data[0] == 'F');
	make_file("/t/map", "second");
	CHECK(memcmp(data, "First", 5) == 0 && has("/t/map", "second", 6));
	CHECK(sys_mem_protect(startup->self, (uintptr_t)data, 1,
			      WEIR_P_READ | WEIR_P_WRITE) == -WEIR_ERIGHTS);
	fs_unmap(data, size);
	CHECK(fs_stream_in("/t/map", &in) == 0 && in.size == 6);
	CHECK(sys_mem_map(startup->self, in.handle[0], 0, 0, 1,
			  WEIR_P_READ | WEIR_P_WRITE) == -WEIR_ERIGHTS);
	sys_handle_close(in.handle[0]);
	CHECK(fs_remove("/t/map") == 0);
	CHECK(fs_append(file, "x", 1) == -FS_STALE);
}

void test_fs(void)
{
	static char big[3 * 4096 + 17];
	struct fs_stat stat;
	uint64_t file, size, place = 0;
	int n = 0;

	CHECK(fs_mkdir("/t") == 0 && fs_mkdir("t/a/") == 0);
	file = make_file("/t/f", "one ");
	CHECK(fs_append(file, "two", 3) == 0 && has("/t/f", "one two", 7));
	CHECK(fs_truncate(file, 3) == 0 && has("t/f", "one", 3));
	CHECK(fs_write(file, 5, "x", 1) == 0 && has("/t/f", "one\0\0x", 6));
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)random64();
	make_file("/t/a/g", "");
	CHECK(has("/t/a/g", "", 0));
	CHECK(fs_open("/t/a/g", 0, &file, &size) == 0 && size == 0);
	CHECK(fs_write(file, 0, big, sizeof(big)) == 0);
	CHECK(has("/t/a/g", big, sizeof(big)));
	CHECK(fs_stat("/t/a/g", &stat) == 0 && stat.size == sizeof(big) &&
	      !stat.folder);
	CHECK(fs_stat("/t/a", &stat) == 0 && stat.folder);
	while (fs_list("/t", &place, &stat) == 0)
		n++;
	CHECK(n == 2);
	test_fs_errors();
	test_fs_mapping();
	test_fs_full();
	CHECK(fs_rename("/t/f", "/t/a/g") == 0); /* over another */
	CHECK(has("/t/a/g", "one\0\0x", 6));
	CHECK(fs_rename("/t/a", "/t/b") == 0 && has("/t/b/g", "one\0\0x", 6));
	CHECK(fs_remove("/t/b/g") == 0 && fs_remove("/t/b") == 0);
	CHECK(fs_remove("/t") == 0 && fs_stat("/t", &stat) == -FS_NONE);
	CHECK(fs_stat("/VERSION", &stat) == 0 && stat.size > 0);
	CHECK(fs_stat("/bin/servers", &stat) == 0 && stat.size > 10000);
}
