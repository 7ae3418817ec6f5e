/*
 * blkio.c - the block server through its protocol; test_blk.py.
 *
 *   blkio fill|check DISK SEED   writes numbers that SEED makes, or looks
 *                                whether they are there; all of the disk
 *   blkio errors DISK RODISK     what must be refused, and does no harm
 *   blkio many DISK              many sessions whose owners are killed
 *   blkio kill DISK              the server is killed under THREADS readers
 *   blkio dead DISK              a device that fails; the others do not
 *   blkio wait SERVICE           until it has ended
 *
 * A service `wired` of the manifest: the test of wired memory, which only a
 * system task may have, and of ports. Prints what is wrong; status 1 if
 * something was.
 */
#include <stdlib.h>
#include <string.h>

#include "user/lib/blk.h"
#include "user/lib/faults.h"
#include "user/lib/names.h"
#include "user/lib/server.h"
#include "user/tests/check.h"

#define THREADS 8u
#define CHUNK 16u /* pages of a request */
#define CHUNK_SECTORS (CHUNK * BLK_PAGE_SECTORS)

static void must(long error, const char *what)
{
	if (error >= 0)
		return;
	printf("blkio: %s: %s\n", what, blk_strerror(error));
	exit(1);
}

/* --- fill, check ---------------------------------------------------------- */
static struct blk disk;
static uint64_t seed;
static uint64_t next_chunk; /* atomic */
static bool writing;

/* The k-th number of a sector. */
static uint64_t number(uint64_t sector, unsigned k)
{
	uint64_t x = (sector * 64 + k + 1) * 0x9e3779b97f4a7c15ull ^ seed;

	x ^= x >> 29;
	return x * 0xbf58476d1ce4e5b9ull;
}

static void put(uint64_t *words, uint64_t sector, uint64_t n)
{
	for (uint64_t s = 0; s < n; s++)
		for (unsigned k = 0; k < 64; k++)
			*words++ = number(sector + s, k);
}

static bool same(const uint64_t *words, uint64_t sector, uint64_t n)
{
	for (uint64_t s = 0; s < n; s++)
		for (unsigned k = 0; k < 64; k++)
			if (*words++ != number(sector + s, k))
				return false;
	return true;
}

/* A thread: takes the chunks of the disk that nobody has taken, with its own
 * part of the session's memory. */
static void work(void *arg)
{
	uint64_t part = (uintptr_t)arg * CHUNK * WEIR_PAGE_SIZE;
	uint64_t sectors = disk.info.sectors, at, n;
	long error;

	for (;;) {
		at = __atomic_fetch_add(&next_chunk, CHUNK_SECTORS,
					__ATOMIC_RELAXED);
		if (at >= sectors)
			return;
		n = sectors - at < CHUNK_SECTORS ? sectors - at
						 : CHUNK_SECTORS;
		if (writing)
			put((uint64_t *)(disk.bytes + part), at, n);
		error = writing ? blk_write(&disk, at, n, part)
				: blk_read(&disk, at, n, part);
		must(error, "transfer");
		if (!writing && !same((uint64_t *)(disk.bytes + part), at, n)) {
			printf("blkio: wrong bytes at sector %llu\n",
			       (unsigned long long)at);
			exit(1);
		}
	}
}

static int all(const char *name, const char *number_of, bool write)
{
	struct uthread *t[BLK_MEMORY_PAGES / CHUNK];
	unsigned n = sizeof(t) / sizeof(t[0]);

	seed = strtoull(number_of, NULL, 10);
	writing = write;
	must(blk_open(name, BLK_MEMORY_PAGES, &disk), name);
	for (unsigned i = 0; i < n; i++)
		t[i] = uthread_start(work, (void *)(uintptr_t)i, -1);
	for (unsigned i = 0; i < n; i++)
		uthread_join(t[i]);
	must(blk_flush(&disk), "flush");
	printf("%s: %llu sectors\n", write ? "filled" : "checked",
	       (unsigned long long)disk.info.sectors);
	blk_close(&disk);
	return 0;
}

/* --- errors --------------------------------------------------------------- */
static void refuse_memory(const char *name)
{
	handle_t ntfn = (handle_t)sys_ntfn_create(), mem, pager;
	struct weir_msg m = { .label = BLK_MEMORY };
	struct blk d;

	must(blk_open(name, 1, &d), name);
	/* A second one; too large; of a pager; none; not memory. */
	mem = (handle_t)sys_mem_create(1, 0);
	CHECK(server_call(d.session, &m, mem, 3) == -WEIR_EBUSY);
	sys_handle_close(mem);
	mem = (handle_t)sys_mem_create(BLK_MEMORY_PAGES + 1, 0);
	m = (struct weir_msg){ .label = BLK_MEMORY };
	CHECK(server_call(d.session, &m, mem, 3) == -WEIR_EINVAL);
	sys_handle_close(mem);
	pager = (handle_t)sys_pager_create(ntfn, 0, 1, 0, &mem);
	m = (struct weir_msg){ .label = BLK_MEMORY };
	CHECK(server_call(d.session, &m, mem, 3) == -WEIR_EINVAL);
	sys_handle_close(pager);
	sys_handle_close(mem);
	m = (struct weir_msg){ .label = BLK_MEMORY };
	CHECK(server_call(d.session, &m, ntfn, 3) == -WEIR_EINVAL);
	m = (struct weir_msg){ .label = BLK_MEMORY };
	CHECK(server_call(d.session, &m, 0, 0) == -WEIR_EINVAL);
	sys_handle_close(ntfn);
	blk_close(&d);
}

static void errors(const char *name, const char *readonly)
{
	const uint64_t page = WEIR_PAGE_SIZE;
	struct blk d, ro;
	struct weir_msg m;
	uint64_t n;

	CHECK(blk_open("nosuch", 1, &d) == -BLK_NONE);
	CHECK(blk_open("99", 1, &d) == -BLK_NONE);
	CHECK(blk_open("", 1, &d) == -BLK_NONE);
	must(blk_open(name, 2, &d), name);
	n = d.info.sectors;
	CHECK(blk_read(&d, n - 1, 1, 0) == 0);
	CHECK(blk_read(&d, n, 1, 0) == -WEIR_EINVAL);
	CHECK(blk_read(&d, n - 1, 2, 0) == -WEIR_EINVAL);
	CHECK(blk_read(&d, ~0ull, 1, 0) == -WEIR_EINVAL);
	CHECK(blk_read(&d, ~0ull, 2, 0) == -WEIR_EINVAL);
	CHECK(blk_read(&d, 0, 0, 0) == -WEIR_EINVAL);
	CHECK(blk_read(&d, 0, ~0ull, 0) == -WEIR_EINVAL);
	CHECK(blk_read(&d, 0, 1ull << 55, 0) == -WEIR_EINVAL);
	CHECK(blk_read(&d, 0, 16, 0) == 0);
	CHECK(blk_read(&d, 0, 17, 0) == -WEIR_EINVAL);
	CHECK(blk_read(&d, 0, 1, 2 * page - 512) == 0);
	CHECK(blk_read(&d, 0, 1, 2 * page - 511) == -WEIR_EINVAL);
	CHECK(blk_read(&d, 0, 1, ~0ull) == -WEIR_EINVAL);
	CHECK(blk_write(&d, n, 1, 0) == -WEIR_EINVAL);
	m = (struct weir_msg){ .label = 99 };
	CHECK(server_call(d.session, &m, 0, 0) == -WEIR_EINVAL);
	must(blk_open(readonly, 1, &ro), readonly);
	CHECK(ro.info.readonly && !d.info.readonly);
	CHECK(blk_write(&ro, 0, 1, 0) == -BLK_READONLY);
	CHECK(blk_read(&ro, 0, 1, 0) == 0 && blk_flush(&ro) == 0);
	/* A session that was closed is none. */
	m = (struct weir_msg){ .label = BLK_CLOSE };
	CHECK(server_call(ro.session, &m, 0, 0) == 0);
	CHECK(blk_read(&ro, 0, 1, 0) == -WEIR_EPEER);
	refuse_memory(name);
}

/* --- owners that are killed ----------------------------------------------- */

/* A child: opens, reads, tells, and reads until it is killed. */
static void role_reader(const char *name)
{
	struct blk d;

	must(blk_open(name, 4, &d), name);
	must(blk_read(&d, 0, 32, 0), "read");
	sys_ntfn_signal(startup->extra[0], 1);
	for (;;)
		must(blk_read(&d, 0, 32, 0), "read");
}

/* More than there are sessions: each open finds the place of a dead one. */
static void many(const char *name)
{
	handle_t ntfn = (handle_t)sys_ntfn_create();
	struct spawn_options o = { .extra = { ntfn } };
	char *argv[] = { "blkio", "--reader", (char *)name, NULL };
	struct weir_system before, after;
	struct child child;
	int status;

	for (unsigned i = 0; i < 80; i++) {
		if (i == 40)
			system_read(&before);
		must(spawn("blkio", argv, &o, &child), "spawn");
		sys_ntfn_wait(ntfn, 1, 0, NULL);
		sys_task_kill(child.task, 3);
		CHECK(child_wait(&child, &status) == 0 && status == 3);
	}
	system_read(&after);
	/* Each has shared 4 pages: 160, if they were lost. */
	CHECK(after.frames_free + after.swap_free + 80 >
	      before.frames_free + before.swap_free);
	CHECK(blk_open(name, 1, &disk) == 0);
	CHECK(blk_read(&disk, 0, 1, 0) == 0);
}

/* --- the server is killed ------------------------------------------------- */
static uint64_t reads; /* atomic */
static long ends[THREADS];

static void read_on(void *arg)
{
	unsigned i = (unsigned)(uintptr_t)arg;

	do {
		ends[i] = blk_read(&disk, i, CHUNK_SECTORS / 2,
				   i * CHUNK / 2 * WEIR_PAGE_SIZE);
		__atomic_fetch_add(&reads, 1, __ATOMIC_SEQ_CST);
	} while (ends[i] == 0);
}

static void kill_server(const char *name)
{
	struct weir_msg m = { .label = CONTROL_KILL };
	struct uthread *t[THREADS];

	must(blk_open(name, BLK_MEMORY_PAGES, &disk), name);
	for (unsigned i = 0; i < THREADS; i++)
		t[i] = uthread_start(read_on, (void *)(uintptr_t)i, -1);
	while (__atomic_load_n(&reads, __ATOMIC_SEQ_CST) < 4 * THREADS)
		uthread_yield();
	memcpy(m.w, "blk", 3);
	CHECK(sys_ipc_call(startup->control, &m) == 0 && m.label == 0);
	for (unsigned i = 0; i < THREADS; i++) {
		uthread_join(t[i]);
		CHECK(ends[i] == -WEIR_EPEER);
	}
	/* The next one knows nothing of the session, and makes a new one. */
	CHECK(blk_read(&disk, 0, 1, 0) == -WEIR_EPEER);
	blk_close(&disk);
	CHECK(blk_open(name, 1, &disk) == 0 && blk_read(&disk, 0, 1, 0) == 0);
}

/* --- a device that fails -------------------------------------------------- */
static void dead(const char *name)
{
	struct blk good;

	must(blk_open(name, 2, &disk), name);
	must(blk_open("disk0", 2, &good), "disk0");
	for (unsigned i = 0; i < 20; i++) {
		CHECK(blk_read(&disk, 8, 1, 0) == -WEIR_EIO);
		CHECK(blk_read(&good, 8, 1, 0) == 0);
	}
	CHECK(blk_read(&disk, 0, 8, 0) == 0);
}

/* --- wired memory --------------------------------------------------------- */
static uint64_t frames_free(void)
{
	struct weir_system s;

	system_read(&s);
	return s.frames_free;
}

static void wired(void)
{
	struct weir_object_info info;
	uint64_t before = 0;
	long mem, va;

	CHECK(sys_mem_create(1025, WEIR_MEM_WIRED) == -WEIR_ENOMEM);
	for (unsigned i = 0; i < 200; i++) {
		if (i == 100)
			before = frames_free();
		mem = sys_mem_create(1 + i % 67, WEIR_MEM_WIRED);
		CHECK(mem > 0);
		CHECK(sys_object_info((handle_t)mem, &info,
				      sizeof(info)) == 0);
		CHECK(info.mem.pa && info.mem.pa % WEIR_PAGE_SIZE == 0 &&
		      info.mem.present == 1 + i % 67);
		va = sys_mem_map(startup->self, (handle_t)mem, 0, 0,
				 info.mem.npages, WEIR_P_READ | WEIR_P_WRITE);
		sys_handle_close((handle_t)mem);
		for (uint64_t k = 0; k < info.mem.npages; k++) {
			uint64_t *page = (uint64_t *)va + k * 512;

			CHECK(page[0] == 0 && page[511] == 0);
			page[0] = page[511] = ~0ull;
		}
		pages_unmap((void *)va, info.mem.npages);
	}
	/* 4,700 of them, if they were lost; others start meanwhile. */
	CHECK(frames_free() + 1500 > before);
}

/* The service has the ports 80 to 8f. */
static void narrow(void)
{
	handle_t all = startup->ports[0];
	long some = sys_ports_narrow(all, 0x84, 4);

	CHECK(some > 0 && sys_ports_narrow(all, 0x80, 16) > 0);
	CHECK(sys_ports_narrow(all, 0x7f, 2) == -WEIR_ERIGHTS);
	CHECK(sys_ports_narrow(all, 0x8f, 2) == -WEIR_ERIGHTS);
	CHECK(sys_ports_narrow(all, 0x80, 0) == -WEIR_ERIGHTS);
	CHECK(sys_ports_narrow(all, 0x90, 1) == -WEIR_ERIGHTS);
	CHECK(sys_ports_narrow(all, 0x84, ~0ull) == -WEIR_ERIGHTS);
	CHECK(sys_ports_narrow(all, ~0ull, 2) == -WEIR_ERIGHTS);
	CHECK(sys_port_in((handle_t)some, 0x84, 4) >= 0);
	CHECK(sys_port_in((handle_t)some, 0x87, 1) >= 0);
	CHECK(sys_port_in((handle_t)some, 0x87, 2) == -WEIR_ERIGHTS);
	CHECK(sys_port_in((handle_t)some, 0x83, 1) == -WEIR_ERIGHTS);
	CHECK(sys_port_in((handle_t)some, 0x84, 3) == -WEIR_EINVAL);
	CHECK(sys_ports_narrow((handle_t)some, 0x80, 8) == -WEIR_ERIGHTS);
	CHECK(!startup->irq[4] && !startup->ports[1]);
	CHECK(!faults_set("alloc-heap.ports_create:1x1", true));
	CHECK(sys_ports_narrow(all, 0x80, 16) == -WEIR_ENOMEM);
	CHECK(sys_ports_narrow(all, 0x80, 16) > 0);
}

/* Until a service of the manifest has ended. */
static void wait_for(const char *name)
{
	struct weir_msg m;

	for (uint64_t i = 0;; i++) {
		m = (struct weir_msg){ .label = CONTROL_LIST, .w = { i } };
		if (sys_ipc_call(startup->control, &m) < 0 || m.label)
			exit(1);
		if (strcmp((char *)&m.w[2], name) != 0)
			continue;
		if (!m.w[0])
			return;
		uthread_yield();
		i--;
	}
}

int main(int argc, char **argv)
{
	if (strcmp(argv[0], "wired") == 0) {
		wired();
		narrow();
		klogf("%u checks, %u failed", checks, failures);
		return failures > 0;
	}
	if (argc == 3 && strcmp(argv[1], "--reader") == 0)
		role_reader(argv[2]);
	if (argc == 4 && strcmp(argv[1], "fill") == 0)
		return all(argv[2], argv[3], true);
	if (argc == 4 && strcmp(argv[1], "check") == 0)
		return all(argv[2], argv[3], false);
	if (argc == 4 && strcmp(argv[1], "errors") == 0)
		errors(argv[2], argv[3]);
	else if (argc == 3 && strcmp(argv[1], "many") == 0)
		many(argv[2]);
	else if (argc == 3 && strcmp(argv[1], "kill") == 0)
		kill_server(argv[2]);
	else if (argc == 3 && strcmp(argv[1], "dead") == 0)
		dead(argv[2]);
	else if (argc == 3 && strcmp(argv[1], "wait") == 0)
		wait_for(argv[2]);
	else
		return STATUS_USAGE;
	printf("blkio: %u checks, %u failed\n", checks, failures);
	return failures > 0;
}
