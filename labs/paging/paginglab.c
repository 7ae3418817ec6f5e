/*
 * paginglab.c - lab paging: do the tables say what was asked for?
 *
 *   paginglab walk      pages at far and near addresses are what was stored
 *   paginglab tables    a table is made where it is needed, and once
 *   paginglab wx        nothing is both writable and executable; what is
 *                       forbidden kills who does it, and nobody else
 *   paginglab protect   what was allowed and is not any more, on every CPU
 *
 * Needs a privileged shell. Exit status 1: a line says what is not so.
 */
#include "labs/lab.h"

#include "kernel/abi/test.h"

#define PAGE WEIR_PAGE_SIZE
#define RW (WEIR_P_READ | WEIR_P_WRITE)
#define LEAF 512u

static int look(volatile void *va)
{
	return (int)sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_LOOK, (uintptr_t)va);
}

static volatile uint64_t *map_at(uint64_t va, uint64_t n, unsigned prot)
{
	long mem = sys_mem_create(n, 0);
	long at = sys_mem_map(startup->self, (handle_t)mem, 0, va, n, prot);

	CHECK(mem > 0 && at > 0);
	CHECK(!va || (uint64_t)at == va);
	sys_handle_close((handle_t)mem);
	return (volatile uint64_t *)at;
}

static void unmap(volatile void *va, uint64_t n)
{
	CHECK(sys_mem_unmap(startup->self, (uintptr_t)va, n) == 0);
}

static long protect(volatile void *va, uint64_t n, unsigned prot)
{
	return sys_mem_protect(startup->self, (uintptr_t)va, n, prot);
}

static volatile uint64_t *page(volatile uint64_t *base, uint64_t i)
{
	return base + i * (PAGE / 8);
}

/* ---- walk ---------------------------------------------------------------- */
#define KIB 1024ull
#define GIB (KIB * KIB * KIB)

/* Addresses one bit of the index apart, from 4 KiB to 64 TiB, and those at
 * the edges of tables. */
static void walk_bits(void)
{
	const uint64_t base = 1ull << 45;
	volatile uint64_t *at[64];
	unsigned n = 0;

	at[n++] = map_at(base, 1, RW);
	for (unsigned bit = 12; bit < 45; bit++)
		at[n++] = map_at(base + (1ull << bit), 1, RW);
	at[n++] = map_at(base * 2, 1, RW);
	for (unsigned i = 0; i < n; i++)
		*at[i] = (uintptr_t)at[i];
	for (unsigned i = 0; i < n; i++)
		CHECK(*at[i] == (uintptr_t)at[i]);
	lab_part("bits");
	for (unsigned i = 0; i < n; i++)
		unmap(at[i], 1);
}

static void walk_edges(void)
{
	static const uint64_t edges[] = { 2 * KIB * KIB, GIB, 512 * GIB };

	for (unsigned e = 0; e < 3; e++) {
		uint64_t start = 40 * 512 * GIB + edges[e] - 2 * PAGE;
		volatile uint64_t *p = map_at(start, 4, RW);

		for (unsigned i = 0; i < 4; i++)
			*page(p, i) = start + i;
		for (unsigned i = 0; i < 4; i++)
			CHECK(*page(p, i) == start + i);
		unmap(p, 4);
	}
	lab_part("edges");
}

static void walk(void)
{
	volatile uint64_t *p;

	walk_bits();
	walk_edges();
	p = map_at(0, 3 * LEAF, RW); /* its object is a tree, too */
	for (uint64_t i = 0; i < 3 * LEAF; i += 7)
		*page(p, i) = ~i;
	for (uint64_t i = 0; i < 3 * LEAF; i += 7)
		CHECK(*page(p, i) == ~i);
	unmap(p, 3 * LEAF);
	lab_part("many");
}

/* ---- tables -------------------------------------------------------------- */
static uint64_t frames_free(void)
{
	struct weir_system sys;

	system_read(&sys);
	return sys.frames_free;
}

/* Frames that the first store to `va` takes, beside the page itself. */
static long tables_for(volatile uint64_t *va)
{
	uint64_t before = frames_free();

	*va = 1;
	return (long)(before - frames_free()) - 1;
}

static void tables(void)
{
	/* The object's tree has one leaf for all of it, made first. */
	volatile uint64_t *p = map_at(50 * 512 * GIB, LEAF, RW), *q;

	*page(p, 5) = 1;
	for (unsigned i = 6; i < 40; i++)
		CHECK(tables_for(page(p, i)) == 0);
	lab_part("once");
	q = map_at(50 * 512 * GIB + 2 * KIB * KIB, 1, RW);
	/* Its own object's leaf, and one table. */
	CHECK(tables_for(q) <= 2);
	lab_part("near");
	unmap(q, 1);
	unmap(p, LEAF);
}

/* ---- wx ------------------------------------------------------------------ */
/* How `crash HOW` ends. */
static int crash(const char *how)
{
	char *argv[] = { "crash", (char *)how, NULL };
	struct child child;
	int status = -1;

	CHECK(spawn("crash", argv, NULL, &child) == 0);
	CHECK(child_wait(&child, &status) == 0);
	return status;
}

static void wx(void)
{
	volatile uint64_t *p = map_at(0, 2, WEIR_P_READ);

	(void)*p;
	CHECK((look(p) & WEIR_PTE_PRESENT) && !(look(p) & WEIR_PTE_WRITABLE));
	CHECK(sys_object_info(startup->self, (void *)p,
			      sizeof(struct weir_object_info)) ==
	      -WEIR_EFAULT);
	lab_part("read only");
	CHECK(crash("text") == STATUS_FAULT);
	lab_part("text");
	CHECK(crash("rodata") == STATUS_FAULT);
	lab_part("rodata");
	CHECK(crash("execute") == STATUS_FAULT);
	lab_part("execute");
	unmap(p, 2);
}

/* ---- protect ------------------------------------------------------------- */
static volatile uint64_t *shared;
static uint64_t npages;
static struct ubarrier barrier;
static long results[64];

/* The kernel stores for us: 0, or -WEIR_EFAULT where it may not. */
static long store(volatile void *va)
{
	return sys_object_info(startup->self, (void *)va,
			       sizeof(struct weir_object_info));
}

static void other(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;

	for (uint64_t i = 0; i < npages; i++)
		results[id] |= store(page(shared, i));
	ubarrier_wait(&barrier, id);
	ubarrier_wait(&barrier, id);
	results[id] = -WEIR_EFAULT;
	for (uint64_t i = 0; i < npages; i++)
		if (store(page(shared, i)) != -WEIR_EFAULT)
			results[id] = 0;
}

/* What all CPUs have in their TLBs, writable, is taken from them. */
static void on_all_cpus(uint64_t n)
{
	struct uthread *t[64];
	struct weir_system sys;

	system_read(&sys);
	npages = n;
	shared = map_at(0, n, RW);
	ubarrier_init(&barrier, NULL, sys.cpus);
	for (uintptr_t cpu = 1; cpu < sys.cpus; cpu++) {
		results[cpu] = 0;
		t[cpu] = uthread_start(other, (void *)cpu, (int)cpu);
	}
	for (uint64_t i = 0; i < n; i++)
		CHECK(store(page(shared, i)) == 0);
	ubarrier_wait(&barrier, 0);
	CHECK(protect(shared, n, WEIR_P_READ) == 0);
	ubarrier_wait(&barrier, 0);
	for (uint64_t i = 0; i < n; i++)
		CHECK(store(page(shared, i)) == -WEIR_EFAULT);
	for (unsigned cpu = 1; cpu < sys.cpus; cpu++) {
		uthread_join(t[cpu]);
		CHECK(results[cpu] == -WEIR_EFAULT);
	}
	unmap(shared, n);
}

/* Of a range that begins and ends in the middle of a table. Its first table,
 * and one in between, are missing. */
static void holes(void)
{
	static const struct {
		uint64_t page;
		bool stored;
	} at[] = { { 3, false }, { LEAF - 100, true }, { LEAF - 99, true },
		   { 2 * LEAF - 101, true }, { 2 * LEAF, false },
		   { 3 * LEAF - 100, true }, { 4 * LEAF, true },
		   { 6 * LEAF - 1, true } };
	const unsigned n = sizeof(at) / sizeof(*at);
	volatile uint64_t *p = map_at(60 * 512 * GIB + 100 * PAGE, 6 * LEAF,
				      RW);

	for (unsigned i = 0; i < n; i++)
		if (at[i].stored)
			*page(p, at[i].page) = ~at[i].page;
	CHECK(protect(p, 6 * LEAF, WEIR_P_READ) == 0);
	for (unsigned i = 0; i < n; i++) {
		volatile uint64_t *va = page(p, at[i].page);

		CHECK(store(va) == -WEIR_EFAULT);
		CHECK(*va == (at[i].stored ? ~at[i].page : 0));
	}
	unmap(p, 6 * LEAF);
	lab_part("holes");
}

/* A page that was dirty when it became read-only still is. */
static void kept(void)
{
	volatile uint64_t *p = map_at(0, 64, RW);
	struct weir_system sys;

	for (unsigned i = 0; i < 64; i++)
		*page(p, i) = ~(uint64_t)i;
	CHECK(protect(p, 64, WEIR_P_READ) == 0);
	system_read(&sys);
	for (unsigned i = 0; i < 4; i++)
		sys_sys_ctl(WEIR_CTL_RECLAIM, sys.frames_anon + 64, 0);
	CHECK(!(look(p) & WEIR_PTE_PRESENT));
	for (unsigned i = 0; i < 64; i++)
		CHECK(*page(p, i) == ~(uint64_t)i);
	unmap(p, 64);
	lab_part("kept");
}

/* Code that was run cannot be once its page is data: the child dies. */
static int data_again(void)
{
	volatile uint8_t *p = (volatile uint8_t *)map_at(0, 1, RW);
	void (*fn)(void) = (void (*)(void))(uintptr_t)p;

	p[0] = 0xc3; /* ret */
	if (protect(p, 1, WEIR_P_READ | WEIR_P_EXEC))
		return 1;
	fn();
	if (protect(p, 1, WEIR_P_READ))
		return 1;
	fn();
	return 0;
}

static void no_execution(void)
{
	char *argv[] = { "paginglab", "data-again", NULL };
	struct child child;
	int status = -1;

	CHECK(spawn("paginglab", argv, NULL, &child) == 0);
	CHECK(child_wait(&child, &status) == 0);
	CHECK(status == STATUS_FAULT);
	lab_part("execution");
}

static void protect_all(void)
{
	on_all_cpus(1);
	lab_part("a page");
	on_all_cpus(40);
	lab_part("many");
	holes();
	kept();
	no_execution();
}

int main(int argc, char **argv)
{
	static const struct lab_scene all[] = {
		{ "walk", walk }, { "tables", tables }, { "wx", wx },
		{ "protect", protect_all },
		{ NULL, NULL },
	};

	if (argc == 2 && strcmp(argv[1], "data-again") == 0)
		return data_again();
	return lab_play(argc, argv, all);
}
