/*
 * paged.c - files of the initrd, whose pages fs supplies as they are touched,
 * and what a mapping of one sees while fs dies: nothing.
 */
#include <string.h>

#include "user/lib/fs.h"
#include "user/tests/servers/check.h"

#define FILE_NAME "bin/servers"
#define KILLS 5 /* init throws fs's state away after the fourth */

static const char *archived; /* the file, where it lies in the archive */
static uint64_t size;

/* Every byte; each page that reclaim dropped is asked for again. */
static bool same(const char *mapped)
{
	return memcmp(mapped, archived, size) == 0;
}

static void drop_pages(void)
{
	struct weir_system s;

	system_read(&s);
	sys_sys_ctl(WEIR_CTL_RECLAIM, s.frames_total, 0);
}

/* Clean pages go without IO, and come back from the archive. */
static void test_drop(const char *mapped)
{
	uint64_t out = counter(WEIR_C_pager_out), in;

	CHECK(same(mapped));
	in = counter(WEIR_C_pager_in);
	drop_pages();
	CHECK(same(mapped));
	CHECK(counter(WEIR_C_pager_in) >= in + size / WEIR_PAGE_SIZE);
	CHECK(counter(WEIR_C_pager_out) == out);
	for (uint64_t i = size; i % WEIR_PAGE_SIZE; i++)
		CHECK(mapped[i] == 0); /* not what is next in the archive */
	CHECK(sys_mem_protect(startup->self, (uintptr_t)mapped, 1,
			      WEIR_P_READ | WEIR_P_WRITE) == -WEIR_ERIGHTS);
}

static void kill_often(void *left)
{
	for (unsigned kills = 0; kills < KILLS;) {
		sleep_ns(20000000 + random64() % 60000000);
		kills += kill_server("fs");
	}
	__atomic_store_n((bool *)left, false, __ATOMIC_RELAXED);
}

/* A reader waits while there is no fs; whatever it has in hand when it dies
 * is answered by the next one. */
static void test_deaths(const char *mapped)
{
	bool left = true;
	struct uthread *t;

	CHECK(kill_server("fs"));
	drop_pages();
	CHECK(same(mapped));
	t = uthread_start(kill_often, &left, -1);
	while (__atomic_load_n(&left, __ATOMIC_RELAXED)) {
		drop_pages();
		CHECK(same(mapped));
	}
	uthread_join(t);
	drop_pages();
	CHECK(same(mapped));
}

/* The first write makes the file an object of its own. */
static void test_write(const char *mapped)
{
	uint64_t file, length;
	const char *written;
	long error;

	CHECK(fs_open("/" FILE_NAME, 0, &file, &length) == 0);
	CHECK(fs_write(file, 0, "written", 7) == 0);
	CHECK(same(mapped));
	written = fs_read_map("/" FILE_NAME, &length, &error);
	CHECK(error == 0 && length == size);
	CHECK(memcmp(written, "written", 7) == 0);
	CHECK(memcmp(written + 7, archived + 7, size - 7) == 0);
	fs_unmap(written, length);
}

void test_paged(void)
{
	const char *mapped;
	uint64_t length;
	long error;

	CHECK(initrd_file(FILE_NAME, &archived, &size) == NULL);
	mapped = fs_read_map("/" FILE_NAME, &length, &error);
	CHECK(error == 0 && length == size);
	if (error || length != size)
		return;
	test_drop(mapped);
	test_deaths(mapped);
	test_write(mapped);
	CHECK(fs_remove("/" FILE_NAME) == 0);
	drop_pages();
	CHECK(same(mapped)); /* removed, but mapped */
	fs_unmap(mapped, size);
}
