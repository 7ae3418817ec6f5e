/*
 * mountio.c - files of a mounted archive; test_blk.py.
 *
 *   mountio order PATH      reads a file of numbered pages from its start
 *   mountio random PATH N   N of its pages at random, in each of THREADS
 *   mountio busy MOUNT FILE umount is refused while FILE is mapped or open
 *   mountio crash FILE      the file server is killed while THREADS read
 *
 * A numbered page is its number, as 64 bits, 512 times.
 */
#include <stdlib.h>
#include <string.h>

#include "user/lib/fs.h"
#include "user/lib/server.h"

#define THREADS 4u
#define WORDS (WEIR_PAGE_SIZE / 8)

static const uint64_t *data;
static uint64_t npages, count;
static uint64_t reads; /* atomic */
static bool over;      /* atomic */

static void fail(const char *what, const char *why)
{
	printf("mountio: %s: %s\n", what, why);
	exit(1);
}

static void map(const char *path)
{
	uint64_t size;
	long error;

	data = fs_read_map(path, &size, &error);
	if (!data)
		fail(path, fs_strerror(error));
	npages = size / WEIR_PAGE_SIZE;
}

static void check(uint64_t page)
{
	for (unsigned k = 0; k < WORDS; k++)
		if (data[page * WORDS + k] != page)
			fail("a page", "wrong bytes");
	__atomic_fetch_add(&reads, 1, __ATOMIC_RELAXED);
}

static void read_random(void *arg)
{
	uint64_t rng = (uintptr_t)arg + 1;

	for (uint64_t i = 0; i < count; i++) {
		rng = rng * 6364136223846793005ull + 1442695040888963407ull;
		check((rng >> 33) % npages);
		if (__atomic_load_n(&over, __ATOMIC_RELAXED))
			return;
	}
}

static void start(struct uthread *t[THREADS])
{
	for (unsigned i = 0; i < THREADS; i++)
		t[i] = uthread_start(read_random, (void *)(uintptr_t)i, -1);
}

static void join(struct uthread *t[THREADS])
{
	for (unsigned i = 0; i < THREADS; i++)
		uthread_join(t[i]);
}

/* Until so many reads more are done. */
static void let_read(uint64_t n)
{
	uint64_t from = __atomic_load_n(&reads, __ATOMIC_RELAXED);

	while (__atomic_load_n(&reads, __ATOMIC_RELAXED) < from + n)
		uthread_yield();
}

static void crash(void)
{
	struct uthread *t[THREADS];

	count = ~0ull;
	start(t);
	for (unsigned i = 0; i < 3; i++) {
		struct weir_msg m = { .label = CONTROL_KILL };
		struct fs_stat stat;

		let_read(200);
		memcpy(m.w, "fs", 2);
		if (sys_ipc_call(startup->control, &m) < 0 || m.label)
			fail("fs", "cannot be killed");
		if (fs_stat("/VERSION", &stat) < 0) /* the next one is up */
			fail("fs", "does not answer");
	}
	let_read(200);
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	join(t);
}

static void busy(const char *mount, const char *file)
{
	struct weir_stream in;
	long error;

	map(file);
	if (fs_umount(mount) != -WEIR_EBUSY)
		fail(mount, "it was mapped");
	fs_unmap(data, npages * WEIR_PAGE_SIZE);
	if (fs_stream_in(file, &in) < 0)
		fail(file, "cannot be opened");
	if (fs_umount(mount) != -WEIR_EBUSY)
		fail(mount, "it was open");
	sys_handle_close(in.handle[0]);
	error = fs_umount(mount);
	if (error < 0)
		fail(mount, fs_strerror(error));
}

int main(int argc, char **argv)
{
	struct uthread *t[THREADS];

	if (argc == 4 && strcmp(argv[1], "busy") == 0) {
		busy(argv[2], argv[3]);
	} else if (argc == 3 && strcmp(argv[1], "order") == 0) {
		map(argv[2]);
		for (uint64_t page = 0; page < npages; page++)
			check(page);
	} else if (argc == 4 && strcmp(argv[1], "random") == 0) {
		map(argv[2]);
		count = strtoull(argv[3], NULL, 10);
		start(t);
		join(t);
	} else if (argc == 3 && strcmp(argv[1], "crash") == 0) {
		map(argv[2]);
		crash();
	} else {
		return STATUS_USAGE;
	}
	printf("mountio: good\n");
	return 0;
}
