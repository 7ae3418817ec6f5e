/*
 * swap_test.c - slots: a random run against a plain array, full, misuse; and
 * the ramdisk with its real thread: bytes, order, delays; faults on purpose.
 * With a word behind the seed: check=slots, and what it must find.
 */
#include <pthread.h>

#include "shim.h"

#include "arch/x86_64/time.h"
#include "kernel/param.h"
#include "kernel/stat.h"
#include "kernel/thread.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/inject.h"
#include "mm/kmalloc.h"
#include "mm/reclaim.h"
#include "mm/pager.h"
#include "mm/swap.h"

#define NFRAMES 12288

struct params params = { .seed = 7, .delay_us = 300 };
static struct frame descriptors[NFRAMES];

void reclaim_wake(void)
{
}

uint64_t reclaim_usable(void)
{
	return UINT64_MAX;
}

bool reclaim_laundering(void)
{
	return false;
}

struct frame *reclaim_direct(bool impatient)
{
	return NULL;
}

/* ---- Slots ---- */

static void free_slot(void *arg)
{
	swap_slot_free((uintptr_t)arg);
}

/* Random use of a table of n slots, beside a plain array. */
static void random_slots(uint32_t n)
{
	static bool taken[2000];
	uint32_t ntaken = 0, slot;

	memset(taken, 0, sizeof(taken));
	CHECK(swap_slots_init(n));
	CHECK(swap_slots_total() == n && swap_slots_free() == n);
	for (unsigned step = 0; step < 4000; step++) {
		/* Phases that fill and phases that empty. */
		if (shim_random() % 8 < (step / 500 % 2 ? 6 : 2)) {
			slot = swap_slot_alloc(false);
			CHECK((slot == 0) == (ntaken == n));
			if (!slot)
				continue;
			CHECK(slot <= n && !taken[slot]);
			taken[slot] = true;
			ntaken++;
		} else {
			slot = 1 + shim_random() % n;
			if (!taken[slot])
				continue;
			swap_slot_free(slot);
			taken[slot] = false;
			ntaken--;
		}
		CHECK(swap_slots_free() == n - ntaken);
		CHECK(swap_is_tight() == (n - ntaken <= n / 8));
	}
	for (slot = 1; slot <= n; slot++)
		if (taken[slot])
			swap_slot_free(slot);
	for (uint32_t i = 0; i < n; i++)
		CHECK(swap_slot_alloc(false) != 0);
	CHECK(swap_slot_alloc(false) == 0);
}

static void test_slots(void)
{
	static const uint32_t sizes[] = { 1, 2, 62, 63, 64, 65, 127, 128,
					  500, 1999 };

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		random_slots(sizes[i]);
	CHECK(swap_slots_init(100));
	CHECK(swap_slot_alloc(false) == 1 && swap_slot_alloc(false) == 2);
	swap_slot_free(1);
	CHECK(swap_slot_alloc(false) == 1 || swap_slots_free() == 97);
	expect_panic(free_slot, (void *)0, "does not exist");
	expect_panic(free_slot, (void *)101, "does not exist");
	expect_panic(free_slot, (void *)0xffffffff, "does not exist");
	expect_panic(free_slot, (void *)50, "freed twice");
}

/* ---- The ramdisk ---- */

/* There are no pagers here. */
void pager_submit(struct pageio *io)
{
	CHECK(!io->pager);
}

bool pager_takes_writes(struct pager *p)
{
	CHECK(!p);
	return false;
}

struct memobj *memobj_get(struct memobj *obj)
{
	return obj;
}

void memobj_put(struct memobj *obj)
{
	CHECK(!obj);
}

bool pager_cancel(struct pageio *io)
{
	CHECK(!io->pager);
	return false;
}

static int swap_read(struct frame *f, uint32_t slot)
{
	struct pageio io = { .frame = f, .slot = slot };

	return pageio_read(&io, 1);
}

#define NIO 200
static struct pageio ios[NIO];
static unsigned ndone, disorder;
static int last_done;

static bool gate; /* atomic: the first IO does not end */

static void io_over(struct pageio *io)
{
	int nr = io - ios;

	while (nr == 0 && __atomic_load_n(&gate, __ATOMIC_ACQUIRE))
		sched_yield();
	if (nr < last_done)
		__atomic_add_fetch(&disorder, 1, __ATOMIC_RELAXED);
	last_done = nr;
	__atomic_add_fetch(&ndone, 1, __ATOMIC_RELEASE);
}

static void io_done(struct pageio *io)
{
	CHECK(shim_cpu == 63); /* the device's thread */
	io_over(io);
}

static void submit(unsigned nr, struct frame *f, uint32_t slot, bool write)
{
	f->state = write ? FRAME_LAUNDRY : FRAME_INBOUND;
	ios[nr] = (struct pageio){ .frame = f, .slot = slot, .write = write,
				   .done = io_done, .status = 99 };
	if (swap_submit(&ios[nr]))
		io_over(&ios[nr]);
	ramdisk_kick();
}

static void wait_all(unsigned n)
{
	uint64_t end = time_ns() + 10000000000ull;

	while (__atomic_load_n(&ndone, __ATOMIC_ACQUIRE) < n)
		CHECK(time_ns() < end);
	CHECK(ndone == n);
	ndone = 0;
	last_done = 0;
}

static void paint(struct frame *f, uint64_t tag)
{
	uint64_t *p = frame_kva(f);

	for (unsigned i = 0; i < 512; i++)
		p[i] = tag * 1000003 + i;
}

static void check_paint(struct frame *f, uint64_t tag)
{
	uint64_t *p = frame_kva(f);

	for (unsigned i = 0; i < 512; i++)
		CHECK(p[i] == tag * 1000003 + i);
}

static struct frame *fr[NIO];
static uint32_t slot_of[NIO];

static void test_bytes(uint64_t delay_us)
{
	params.delay_us = delay_us;
	disorder = 0;
	for (unsigned i = 0; i < NIO; i++) {
		slot_of[i] = swap_slot_alloc(false);
		paint(fr[i], i + delay_us);
		submit(i, fr[i], slot_of[i], true);
	}
	wait_all(NIO);
	CHECK(delay_us ? disorder > 0 : disorder == 0);
	for (unsigned i = 0; i < NIO; i++) {
		CHECK(ios[i].status == 0);
		paint(fr[i], 999999);
		submit(i, fr[i], slot_of[(i + 1) % NIO], false);
	}
	wait_all(NIO);
	for (unsigned i = 0; i < NIO; i++) {
		check_paint(fr[i], (i + 1) % NIO + delay_us);
		fr[i]->state = FRAME_PINNED;
	}
	for (unsigned i = 0; i < NIO; i++)
		swap_slot_free(slot_of[i]);
}

/* swap_read from several threads at once. */
static void *reader(void *arg)
{
	unsigned base = (uintptr_t)arg;

	shim_cpu = 1 + base / 50;
	for (unsigned i = base; i < base + 50; i++) {
		fr[i]->state = FRAME_INBOUND;
		CHECK(swap_read(fr[i], slot_of[i]) == 0);
		check_paint(fr[i], i);
	}
	return NULL;
}

static void test_read(void)
{
	pthread_t t[4];

	params.delay_us = 100;
	for (unsigned i = 0; i < NIO; i++) {
		slot_of[i] = swap_slot_alloc(false);
		paint(fr[i], i);
		submit(i, fr[i], slot_of[i], true);
	}
	wait_all(NIO);
	for (unsigned i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, reader, (void *)(50ul * i));
	for (unsigned i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

/* Sets all points of a kind (`kind` of the whole name up to its '.'). */
static void faults(const char *kind, uint64_t rate)
{
	struct weir_fault_point p;
	bool known = false;

	for (uint64_t i = 0; inject_describe(i, &p); i++)
		if (strncmp(p.name, kind, strlen(kind)) == 0 &&
		    p.name[strlen(kind)] == '.')
			known |= inject_set(i, rate) == 0;
	CHECK(known);
}

static void write_one(unsigned nr)
{
	submit(nr, fr[nr], slot_of[nr], true);
	wait_all(1);
}

static void read_one(int status)
{
	fr[0]->state = FRAME_INBOUND;
	paint(fr[0], 5);
	CHECK(swap_read(fr[0], slot_of[1]) == status);
	check_paint(fr[0], status ? 5 : 1); /* or untouched */
}

static void test_failures(void)
{
	static struct aspace program = { .id = 1 }, other = { .id = 2 };
	uint64_t from;

	params.delay_us = 0;
	faults("swap-write", WEIR_FAULT_RATE(1, 1));
	write_one(1);
	CHECK(ios[1].status == -WEIR_EIO);
	write_one(1);
	CHECK(ios[1].status == 0);
	faults("swap-stuck-write", WEIR_FAULT_RATE(1, 1));
	from = time_ns();
	write_one(1);
	CHECK(ios[1].status == -WEIR_EIO && time_ns() - from >= 1000000000);
	faults("swap-read", WEIR_FAULT_RATE(1, 1));
	read_one(0); /* no program reads */
	current()->as = &program;
	program.system = true;
	read_one(0);
	program.system = false;
	read_one(-WEIR_EIO);
	read_one(0); /* that was once */
	faults("swap-read", WEIR_FAULT_RATE(1, 0));
	read_one(-WEIR_EIO);
	faults("swap-read", WEIR_FAULT_RATE(1, 1) | WEIR_FAULT_OWN);
	current()->as = &other;
	read_one(0);
	current()->as = &program;
	program.system = true;
	read_one(-WEIR_EIO);
	current()->as = NULL;
}

/* Some that are slow; some that overtake what waits. */
static void test_order(void)
{
	faults("swap-slow", WEIR_FAULT_RATE(1, 1));
	for (unsigned i = 0; i < NIO; i++)
		submit(i, fr[i], slot_of[i], true);
	wait_all(NIO);
	faults("swap-slow", 0);
	disorder = 0;
	__atomic_store_n(&gate, true, __ATOMIC_RELEASE);
	submit(0, fr[0], slot_of[0], true);
	faults("swap-order", WEIR_FAULT_RATE(2, 0));
	for (unsigned i = 1; i < NIO; i++)
		submit(i, fr[i], slot_of[i], true);
	__atomic_store_n(&gate, false, __ATOMIC_RELEASE);
	wait_all(NIO);
	faults("swap-order", 0);
	CHECK(disorder > 0);
}

static unsigned hits(uint64_t rate)
{
	unsigned n = 0;

	faults("swap-full", rate);
	for (unsigned i = 0; i < 3000; i++) {
		uint32_t slot = swap_slot_alloc(false);

		n += !slot;
		if (slot)
			swap_slot_free(slot);
	}
	faults("swap-full", 0);
	return n;
}

/* As often as was asked for; the same of the same seed, others of others. */
static void test_rates(void)
{
	uint64_t seed = params.seed;
	unsigned n = hits(WEIR_FAULT_RATE(3, 0)), others = 0;

	CHECK(n > 850 && n < 1150);
	CHECK(hits(WEIR_FAULT_RATE(3, 0)) == n);
	CHECK(hits(WEIR_FAULT_RATE(1, 0)) == 3000);
	CHECK(hits(WEIR_FAULT_RATE(3, 5)) == 5 && hits(0) == 0);
	for (params.seed = 100; params.seed < 110; params.seed++)
		others += hits(WEIR_FAULT_RATE(3, 0)) != n;
	CHECK(others > 5);
	params.seed = seed;
}

/* Slots that are given back and are lost, until none is left. */
static void test_shrinking(void)
{
	uint32_t total = swap_slots_total(), nfree = swap_slots_free(), slot;

	faults("swap-shrink", WEIR_FAULT_RATE(1, 10));
	for (unsigned i = 1; i <= 20; i++) {
		slot = swap_slot_alloc(false);
		CHECK(slot);
		swap_slot_free(slot);
		CHECK(swap_slot_taken(slot) == (i <= 10));
		CHECK(swap_slots_total() == total - (i < 10 ? i : 10));
		CHECK(swap_slots_free() == nfree - (i < 10 ? i : 10));
	}
	faults("swap-shrink", WEIR_FAULT_RATE(1, 0));
	while ((slot = swap_slot_alloc(false)))
		swap_slot_free(slot);
	CHECK(swap_slots_free() == 0);
	CHECK(swap_slots_total() == total - nfree);
	faults("swap-shrink", 0);
}

static void submit_free_slot(void *arg)
{
	submit(0, fr[0], swap_slots_total(), true);
}

static void submit_wrong_state(void *arg)
{
	fr[0]->state = FRAME_ACTIVE;
	ios[0] = (struct pageio){ .frame = fr[0], .slot = slot_of[0],
				  .write = true, .done = io_done };
	swap_submit(&ios[0]);
}

/* ---- check=slots ---- */

/* Where the ramdisk keeps a page with these bytes. */
static char *stored(const struct frame *f)
{
	for (char *page = shim_ram; page < shim_ram + SHIM_RAM_BYTES;
	     page += 4096)
		if (page != frame_kva(f) && !memcmp(page, frame_kva(f), 4096))
			return page;
	CHECK(!"stored");
	return NULL;
}

static struct frame *write_out(uint32_t slot)
{
	struct frame *f = fr[0];

	paint(f, 4711);
	submit(0, f, slot, true);
	wait_all(1);
	return f;
}

/* Each is a panic of the device's thread. */
static void test_wrong_bytes(const char *how)
{
	uint32_t slot = swap_slot_alloc(false);
	struct frame *f = write_out(slot);

	if (!strcmp(how, "spoilt")) {
		stored(f)[shim_random() % 4096] ^= 1 << shim_random() % 8;
	} else if (!strcmp(how, "reused")) { /* a slot not yet written */
		swap_slot_free(slot);
	} else { /* written to while it is written out */
		params.delay_us = 1000000;
		submit(0, f, slot, true);
		*(char *)frame_kva(f) ^= 1;
		wait_all(1);
		CHECK(!"found");
	}
	if (!swap_slot_taken(slot))
		while (swap_slot_alloc(false) != slot)
			;
	f->state = FRAME_INBOUND;
	swap_read(f, slot);
	CHECK(!"found");
}

static void init_swap(void *mib)
{
	swap_init((uintptr_t)mib);
}

int main(int argc, char **argv)
{
	shim_seed(argc, argv);
	params.check = argc > 2 ? CHECK_SLOTS : 0;
	frames_setup(descriptors, NFRAMES);
	frames_add(1, NFRAMES);
	test_slots();
	expect_panic(init_swap, (void *)45, "too little memory for swap=45");
	expect_panic(init_swap, (void *)4000, "4000 MiB, and 8 MiB");
	expect_panic(init_swap, (void *)(1ul << 40), "too little memory");
	swap_init(16);
	CHECK(swap_slots_total() == 4096 && nr_frames() == NFRAMES - 1 - 4096);
	ramdisk_start();
	for (unsigned i = 0; i < NIO; i++)
		fr[i] = frame_alloc(0);
	if (argc > 2 && strcmp(argv[2], "right")) {
		test_wrong_bytes(argv[2]);
		return 0;
	}
	test_bytes(0);
	test_bytes(2000);
	CHECK(shim_stats[WEIR_C_pswpin] == 2 * NIO);
	CHECK(shim_stats[WEIR_C_pswpout] == 2 * NIO);
	test_read();
	test_failures();
	test_order();
	test_rates();
	expect_panic(submit_free_slot, NULL, "slot_taken");
	expect_panic(submit_wrong_state, NULL, "LAUNDRY");
	test_shrinking();
	return 0;
}
