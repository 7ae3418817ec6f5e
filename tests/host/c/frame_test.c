/*
 * frame_test.c - the frame allocator: random use, misuse, memory maps,
 * exhaustion, and many CPUs at once.
 */
#include <pthread.h>

#include "shim.h"

#include "frame_check.h"

#include "boot/bootinfo.h"
#include "kernel/param.h"
#include "mm/frame.h"
#include "mm/reclaim.h"

#define NFRAMES 4096 /* 16 MiB */
#define HELD 600

struct params params;
static struct frame descriptors[NFRAMES];

/* ---- The reclaimer that this test plays ---- */

#define MANAGED (NFRAMES - 500 - 3)

static unsigned wakes, passes;
static struct frame *reclaimable[8];
static uint64_t usable;

void reclaim_wake(void)
{
	__atomic_add_fetch(&wakes, 1, __ATOMIC_RELAXED);
}

bool reclaim_laundering(void)
{
	return false;
}

uint64_t reclaim_usable(void)
{
	return usable;
}

struct frame *reclaim_direct(bool impatient)
{
	struct frame *kept = NULL;
	uint64_t freed = 0;

	passes++;
	for (unsigned i = 0; i < 8; i++) {
		if (!reclaimable[i])
			continue;
		if (!kept)
			kept = frame_reuse(reclaimable[i]);
		else
			frame_free(reclaimable[i]);
		reclaimable[i] = NULL;
		freed++;
	}
	stat_add(WEIR_C_pgsteal, freed);
	return kept;
}

static void setup(void)
{
	frames_setup(descriptors, NFRAMES);
	frames_add(3, 1000);
	frames_add(1500, NFRAMES);
	wakes = passes = 0;
	usable = MANAGED;
}

/* ---- Random use ---- */

static void fill(struct frame *f, unsigned order, uint64_t tag)
{
	uint64_t *p = frame_kva(f);

	for (uint64_t i = 0; i < 512ull << order; i += 128)
		p[i] = tag ^ i;
}

static void verify(struct frame *f, unsigned order, uint64_t tag)
{
	uint64_t *p = frame_kva(f);

	for (uint64_t i = 0; i < 512ull << order; i += 128)
		CHECK(p[i] == (tag ^ i));
}

static void test_random(void)
{
	struct { struct frame *f; unsigned order; uint64_t tag; }
		held[HELD] = { 0 };
	uint64_t out = 0;

	setup();
	shim_cpus = 4;
	for (unsigned step = 0; step < 60000; step++) {
		unsigned i = shim_random() % HELD;

		shim_cpu = shim_random() % 4;
		if (held[i].f) {
			verify(held[i].f, held[i].order, held[i].tag);
			frame_free(held[i].f);
			out -= 1ull << held[i].order;
			held[i].f = NULL;
		} else {
			unsigned order = shim_random() % 4 ? 0 :
					 shim_random() % 7;

			held[i].f = frames_alloc(order);
			held[i].order = order;
			held[i].tag = shim_random();
			if (!held[i].f)
				continue;
			CHECK(frame_pa(held[i].f) % (4096ull << order) == 0);
			CHECK(held[i].f->state == FRAME_PINNED);
			fill(held[i].f, order, held[i].tag);
			out += 1ull << order;
		}
		CHECK(nr_free() == MANAGED - out);
		if (step % 2048 == 0)
			frame_check();
	}
	for (unsigned i = 0; i < HELD; i++)
		if (held[i].f)
			frame_free(held[i].f);
	frame_cache_drain();
	frame_check();
	CHECK(nr_free() == MANAGED);
	/* All merged again: 2048..4095 gives two of the largest blocks. */
	CHECK(frames_alloc(FRAME_MAX_ORDER) && frames_alloc(FRAME_MAX_ORDER));
	CHECK(!frames_alloc(FRAME_MAX_ORDER + 1));
	shim_cpu = 0;
}

/* ---- Watermarks and exhaustion ---- */

static void test_watermarks(void)
{
	struct frame *f, *last = NULL;
	uint64_t n = 0;

	setup();
	CHECK(watermarks.min < watermarks.low);
	CHECK(watermarks.low < watermarks.high);
	while (nr_free() > watermarks.low)
		CHECK(frame_alloc(FRAME_MAYWAIT));
	CHECK(wakes == 0);
	while (nr_free() > watermarks.min)
		CHECK(frame_alloc(FRAME_MAYWAIT));
	CHECK(wakes > 0 && passes == 0);

	/* Below min: who makes a pass that frees something has one of these,
	 * even where the others do not reach min again. */
	for (unsigned i = 0; i < 10; i++)
		CHECK((last = frame_alloc(0)));
	for (unsigned i = 0; i < 8; i++)
		CHECK((reclaimable[i] = frame_alloc(0)));
	last = reclaimable[0];
	f = frame_alloc(FRAME_MAYWAIT);
	CHECK(f == last && passes == 1 && nr_free() == watermarks.min - 11);
	passes = 0;
	f = frame_alloc(FRAME_MAYWAIT);
	CHECK(!f && passes >= 8 && passes < 2000); /* bounded, then NULL */

	/* Who may not wait gets half of the rest, reserve gets all of it. */
	while ((f = frame_alloc(0)))
		n++;
	CHECK(n > 0 && nr_free() == watermarks.min / 2);
	shim_cpu = 1; /* what lies in the other caches is found, too */
	for (n = 0; (f = frame_alloc(FRAME_RESERVE)); n++)
		last = f;
	CHECK(n == watermarks.min / 2 && nr_free() == 0);
	frame_check();
	frame_free(last);
	CHECK(frame_alloc(FRAME_RESERVE) == last);
	shim_cpu = 0;
}

static void test_direct(void)
{
	setup();
	while (nr_free() > watermarks.min + 1)
		CHECK(frame_alloc(FRAME_MAYWAIT));
	reclaimable[0] = frame_alloc(FRAME_MAYWAIT);
	reclaimable[1] = frame_alloc(0);
	reclaimable[2] = frame_alloc(0);
	reclaimable[0]->state = FRAME_LIMBO;
	CHECK(frame_alloc(FRAME_MAYWAIT | FRAME_ZERO));
	CHECK(passes == 1);
}

/* Where reclaim could have but little back, pages may have it, and the system;
 * anybody else is told no at once. */
static void test_pinned(void)
{
	struct frame *f;

	setup();
	usable = 2 * watermarks.high;
	CHECK(!frame_alloc(0) && !frame_alloc(FRAME_MAYWAIT) && passes == 0);
	CHECK(frame_alloc(FRAME_PAGED) && frame_alloc(FRAME_RESERVE));
	struct aspace servers = { .system = true };
	shim_thread.as = &servers;
	CHECK(frame_alloc(0) && frames_alloc(0));
	shim_thread.as = NULL;
	CHECK(!frames_alloc(1));
	usable++;
	CHECK(frame_alloc(0) && !frames_alloc(1));
	usable++;
	CHECK(frames_alloc(1));

	/* A page waits for what there is. */
	while (frame_alloc(0))
		;
	f = reclaimable[0] = frame_alloc(FRAME_RESERVE);
	usable = 0;
	CHECK(frame_alloc(FRAME_PAGED | FRAME_MAYWAIT) == f && passes == 1);
	CHECK(!frame_alloc(FRAME_PAGED | FRAME_MAYWAIT) && passes > 2);
}

static void test_zero(void)
{
	struct frame *f;

	setup();
	f = frame_alloc(0);
	fill(f, 0, 77);
	f->dirty = f->taken_back = true;
	f->index = 9;
	frame_free(f);
	CHECK(frame_alloc(FRAME_ZERO) == f);
	for (unsigned i = 0; i < 4096; i++)
		CHECK(!((char *)frame_kva(f))[i]);
	CHECK(!f->dirty && !f->taken_back && !f->family);
	CHECK(f->index == 0 && f->slot == 0 && f->mapcount == 0);
	CHECK(frame_of_pa(frame_pa(f)) == f);
	CHECK(frame_of_kva((char *)frame_kva(f) + 5) == f);
}

/* ---- Poison ---- */

static void alloc_it(void *order)
{
	frames_alloc((uintptr_t)order);
}

/* A store to a frame after it was freed, at any place of it. */
static void test_poison(void)
{
	struct frame *f;
	char text[64];

	params.check = CHECK_POISON;
	setup();
	test_random();
	for (uintptr_t order = 0; order < 4; order++) {
		unsigned page = shim_random() % (1 << order);
		unsigned at = shim_random() % 4096;

		setup();
		f = frames_alloc(order);
		frame_free(f);
		((char *)frame_kva(f + page))[at] ^= 1;
		sprintf(text, "P1: frame %lx, offset %x: f4ee",
			(unsigned long)frame_pa(f + page), at & ~7);
		if (at % 8 == 7 || at % 8 == 6)
			*strrchr(text, ' ') = 0;
		expect_panic(alloc_it, (void *)order, text);
	}
	params.check = 0;
}

/* ---- Misuse ---- */

static void free_it(void *f)
{
	frame_free(f);
}

static void free_twice(void *arg)
{
	struct frame *f = frames_alloc((uintptr_t)arg);

	frame_free(f);
	frame_free(f);
}

static void free_drained(void *arg)
{
	struct frame *f = frame_alloc(0);

	frame_free(f);
	frame_cache_drain();
	frame_free(f);
}

static void beyond(void *arg)
{
	frame_of_pa(NFRAMES * 4096ull);
}

static void move(void *arg)
{
	struct frame *f = frame_alloc(0);

	frame_set_state(f, FRAME_ACTIVE);
	frame_set_state(f, FRAME_ISOLATED);
	frame_set_state(f, FRAME_LAUNDRY);
	frame_set_state(f, (uintptr_t)arg);
}

static void test_misuse(void)
{
	struct frame *f, *block;

	setup();
	expect_panic(free_twice, (void *)0, "freed twice");
	expect_panic(free_twice, (void *)3, "freed twice");
	expect_panic(free_drained, NULL, "freed twice");
	expect_panic(free_it, &descriptors[1200], "not the allocator's");
	expect_panic(beyond, NULL, "violated");
	expect_panic(move, (void *)FRAME_FREE, "from LAUNDRY to FREE");
	expect_panic(move, (void *)FRAME_LIMBO, "from LAUNDRY to LIMBO");
	block = frames_alloc(2);
	expect_panic(free_it, block + 1, "not the first");
	f = frame_alloc(0);
	f->mapcount = 1;
	expect_panic(free_it, f, "1 mappings");
	f->mapcount = 0;
	f->slot = 5;
	expect_panic(free_it, f, "slot 5");
	f->slot = 0;
	for (unsigned s = 0; s < FRAME_NSTATES; s++) {
		f->state = s;
		if (s != FRAME_PINNED && s != FRAME_LIMBO &&
		    s != FRAME_INBOUND)
			expect_panic(free_it, f, "freed");
	}
	f->state = FRAME_LIMBO;
	frame_free(f);
}

/* ---- Carving ---- */

static void test_carve(void)
{
	for (unsigned i = 0; i < 200; i++) {
		unsigned order = shim_random() % (FRAME_MAX_ORDER + 2);
		uint64_t n = 1ull << order, before;
		void *kva;

		setup();
		for (unsigned k = shim_random() % 300; k > 0; k--)
			CHECK(frame_alloc(0));
		before = nr_free();
		kva = frame_carve(order);
		CHECK(!!kva == (order <= FRAME_MAX_ORDER));
		if (!kva)
			continue;
		CHECK(nr_free() == before - n);
		CHECK(nr_frames() == MANAGED - n);
		for (uint64_t k = 0; k < n; k++) {
			struct frame *f = frame_of_kva((char *)kva + k * 4096);

			CHECK(f->state == FRAME_PINNED && !f->head);
		}
		frame_check();
		while (frame_alloc(FRAME_RESERVE))
			;
		CHECK(nr_free() == 0 && !frame_carve(0));
	}
}

/* ---- Memory maps ---- */

static struct bootinfo bi;

static void map_add(uint64_t base, uint64_t len, uint32_t type)
{
	bi.mmap[bi.nmmap].base = base;
	bi.mmap[bi.nmmap].len = len;
	bi.mmap[bi.nmmap++].type = type;
}

static void module_add(uint64_t pa, uint64_t len)
{
	bi.module[bi.nmodules].pa = pa;
	bi.module[bi.nmodules++].len = len;
}

static void init_now(void *mem_mib)
{
	shim_early = 4ull << 20;
	frame_init(&bi, (uintptr_t)mem_mib);
}

static bool managed(uint64_t pa)
{
	return frame_of_pa(pa)->state == FRAME_FREE;
}

#define MIB (1ull << 20)
static void test_maps(void)
{
	uint64_t all;

	memset(&bi, 0, sizeof(bi));
	map_add(40 * MIB, 20 * MIB + 123, 1); /* unsorted, odd end */
	map_add(0, 0x9fc00, 1);
	map_add(MIB, 31 * MIB, 1);
	map_add(20 * MIB, 14 * MIB, 1); /* overlaps the one before */
	map_add(60 * MIB, 4 * MIB, 2);
	map_add(UINT64_MAX - 4095, 8192, 1); /* wraps: ignored */
	map_add(50 * MIB, 0, 1);
	map_add(30 * MIB + 5, 100, 3); /* inside usable memory: wins */
	module_add(10 * MIB + 1, 4096);  /* odd: touches two pages */
	module_add(10 * MIB + 0x3000, 1);
	module_add(39 * MIB, 2 * MIB); /* partly in a hole */
	module_add(12 * MIB, 0);
	init_now(NULL);
	frame_check();
	CHECK(!managed(0x5000) && !managed(2 * MIB));
	CHECK(!managed(shim_early - 1) && managed(shim_early));
	CHECK(managed(10 * MIB - 1) && !managed(10 * MIB) &&
	      !managed(10 * MIB + 4096) && managed(10 * MIB + 0x2000) &&
	      !managed(10 * MIB + 0x3000) && managed(10 * MIB + 0x4000));
	CHECK(managed(12 * MIB));
	CHECK(managed(30 * MIB - 1) && !managed(30 * MIB) &&
	      managed(30 * MIB + 4096));
	CHECK(managed(34 * MIB - 1) && !managed(34 * MIB));
	CHECK(!managed(40 * MIB) && !managed(41 * MIB - 1) &&
	      managed(41 * MIB) && managed(60 * MIB - 1));
	all = nr_frames();
	CHECK(all == (60 * MIB - shim_early - 7 * MIB) / 4096 - 4);

	init_now((void *)1000); /* more than there is: all */
	CHECK(nr_frames() == all);
	init_now((void *)20);
	CHECK(nr_frames() < 17 * 256 && nr_frames() > 15 * 256);
	CHECK(managed(20 * MIB) && nr_free() == nr_frames());
	expect_panic(init_now, (void *)10, "too little memory");
	expect_panic(init_now, (void *)1, "8 MiB are needed");
	bi.nmmap = 0;
	expect_panic(init_now, NULL, "too little memory");
}

/* ---- Many CPUs ---- */

static void *hammer(void *arg)
{
	struct frame *held[64] = { 0 };
	uint64_t rng = 1000 + (uintptr_t)arg * 77;

	shim_cpu = (uintptr_t)arg;
	for (unsigned step = 0; step < 20000; step++) {
		rng = rng * 6364136223846793005ull + 1442695040888963407ull;
		unsigned i = rng >> 58;

		if (held[i]) {
			verify(held[i], 0, (uintptr_t)held[i] ^ shim_cpu);
			frame_free(held[i]);
			held[i] = NULL;
		} else if ((held[i] = rng >> 50 & 1 ? frame_alloc(0) :
						      frames_alloc(1))) {
			fill(held[i], 0, (uintptr_t)held[i] ^ shim_cpu);
		}
		if (step % 1000 == 0)
			frame_cache_drain();
	}
	for (unsigned i = 0; i < 64; i++)
		if (held[i])
			frame_free(held[i]);
	return NULL;
}

static void test_cpus(void)
{
	pthread_t t[8];

	setup();
	shim_cpus = 8;
	for (uintptr_t i = 0; i < 8; i++)
		CHECK(!pthread_create(&t[i], NULL, hammer, (void *)i));
	for (unsigned i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	frame_check();
	CHECK(nr_free() == MANAGED);
}

int main(int argc, char **argv)
{
	shim_seed(argc, argv);
	if (argc > 2 && !strcmp(argv[2], "cpus")) {
		test_cpus();
		return 0;
	}
	test_random();
	test_watermarks();
	test_direct();
	test_pinned();
	test_zero();
	test_poison();
	test_misuse();
	test_carve();
	test_maps();
	test_cpus();
	return 0;
}
