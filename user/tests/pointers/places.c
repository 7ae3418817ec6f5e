/*
 * places.c - where a pointer may lead to: each kind of place, alone.
 */
#include "user/lib/pager.h"
#include "user/tests/pointers/pointers.h"

#define END (WINDOW + WINDOW_PAGES * PAGE)
#define TRIES 2000u

uint8_t *alias;
handle_t window_mem;
static struct weir_system sys;
static uint64_t failing, supplied; /* pages of programs, one of which fails */
static unsigned kinds;

/* --- the window ----------------------------------------------------------- */
void window_map(void)
{
	expect(sys_mem_map(startup->self, window_mem, 0, WINDOW, WINDOW_PAGES,
			   READ_WRITE) == (long)WINDOW, "the window is mapped");
}

void window_unmap(void)
{
	expect(sys_mem_unmap(startup->self, WINDOW, WINDOW_PAGES) == 0,
	       "the window is unmapped");
}

void window_protect(uint64_t page, uint64_t n, unsigned prot)
{
	expect(sys_mem_protect(startup->self, WINDOW + page * PAGE, n,
			       prot) == 0, "the window is protected");
}

uint8_t *in_alias(uint64_t pointer)
{
	return alias + (pointer - WINDOW);
}

static uint8_t pattern(uint64_t i)
{
	return (uint8_t)(i * 13 ^ i >> 8 ^ 0xa5);
}

void paint(void)
{
	for (uint64_t i = 0; i < WINDOW_PAGES * PAGE; i++)
		alias[i] = pattern(i);
}

bool painted(uint64_t page, uint64_t n)
{
	for (uint64_t i = page * PAGE; i < (page + n) * PAGE; i++)
		if (((volatile uint8_t *)alias)[i] != pattern(i))
			return false;
	return true;
}

void reclaim(uint64_t frames)
{
	sys_sys_ctl(WEIR_CTL_RECLAIM, frames, 0);
}

bool swap_out(uint64_t va)
{
	for (unsigned i = 0; i < TRIES; i++) {
		if (!sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_LOOK, va))
			return true;
		reclaim(sys.frames_total / 8);
	}
	return false;
}

/* --- pages that programs keep --------------------------------------------- */
static long fail_read(void *arg, uint64_t page, void *bytes)
{
	(void)arg, (void)page, (void)bytes;
	return -1;
}

static long keep_nothing(void *arg, uint64_t page, const void *bytes)
{
	(void)arg, (void)page, (void)bytes;
	return 0;
}

static const struct target *supplying; /* for whom the page is read */

static long supply(void *arg, uint64_t page, void *bytes)
{
	(void)arg, (void)page;
	if (supplying && supplying->fill)
		supplying->fill(bytes);
	return 0;
}

static uint64_t map_paged(struct upager *p)
{
	long va;

	p->npages = 1;
	p->write = keep_nothing;
	if (upager_start(p) < 0)
		return 0;
	va = sys_mem_map(startup->self, p->mem, 0, 0, 1, READ_WRITE);
	return va > 0 ? (uint64_t)va : 0;
}

bool places_setup(void)
{
	static struct upager fails = { .read = fail_read };
	static struct upager supplies = { .read = supply };

	system_read(&sys);
	alias = pages_map(WINDOW_PAGES, &window_mem);
	if (!alias)
		return false;
	window_map();
	failing = map_paged(&fails);
	supplied = map_paged(&supplies);
	return failing && supplied;
}

/* --- what must become of it ----------------------------------------------- */
static void must_fail(const struct target *t, uint64_t pointer,
		      const char *what)
{
	kinds++;
	expect(call_with(t, pointer) == -WEIR_EFAULT, what);
}

/* In the window, where the right bytes are to be read, or come. */
static void must_go(const struct target *t, uint64_t pointer, const char *what)
{
	kinds++;
	if (t->fill)
		t->fill(in_alias(pointer));
	expect(call_right(t, call_with(t, pointer), in_alias(pointer)), what);
}

static void must_be(const struct target *t, bool good, uint64_t pointer,
		    const char *what)
{
	if (good)
		must_go(t, pointer, what);
	else
		must_fail(t, pointer, what);
}

/* --- the kinds ------------------------------------------------------------ */
static void test_unmapped(const struct target *t)
{
	uint64_t s = t->size;
	const uint64_t bad[] = {
		8, WEIR_USER_BASE - s, WEIR_USER_BASE - 1,
		END, END + PAGE, WINDOW - s, WINDOW - 1, WINDOW - s / 2,
		/* the end of user addresses, and what is not canonical */
		WEIR_USER_TOP - s, WEIR_USER_TOP - 1, WEIR_USER_TOP,
		1ull << 47, (1ull << 47) - s / 2, 1ull << 48, 1ull << 62,
		1ull << 63, 0xffff7fffffffffff,
		/* the kernel's memory, its map of all memory, wrapped */
		0xffffffff80000000, 0xffffffff80100000, 0xffff800000000000,
		0xffff800000100000, -s, -s / 2, ~0ull,
	};

	paint();
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		must_fail(t, bad[i], "nothing is mapped there");
	if (!t->optional)
		must_fail(t, 0, "NULL");
	expect(painted(0, WINDOW_PAGES), "nothing was written");
}

/* `n` bytes of it are on the page before the edge. */
static void test_edge(const struct target *t, uint64_t n)
{
	bool reads = t->use == USE_READ;

	paint();
	must_fail(t, END - n, "it goes over the end");
	must_go(t, WINDOW + PAGE - n, "two pages");
	window_protect(1, 1, WEIR_P_READ);
	paint();
	must_be(t, reads, WINDOW + PAGE - n, "the second is read-only");
	expect(reads || painted(1, 1), "and is what it was");
	window_protect(1, 1, WEIR_P_READ | WEIR_P_EXEC);
	paint();
	must_be(t, reads, WINDOW + PAGE - n, "the second is code");
	expect(reads || painted(1, 1), "and is what it was");
	window_protect(1, 1, READ_WRITE);
	window_protect(0, 1, WEIR_P_READ);
	paint();
	must_be(t, reads, WINDOW + PAGE - n, "the first is read-only");
	expect(reads || painted(0, 2), "and nothing was written");
	window_protect(0, 1, READ_WRITE);
}

static void test_fits(const struct target *t)
{
	bool reads = t->use == USE_READ;

	must_go(t, WINDOW, "from the first byte");
	must_go(t, END - t->size, "to the last byte");
	must_go(t, WINDOW + random64() % (2 * PAGE - t->size), "anywhere");
	window_protect(0, 2, WEIR_P_READ);
	paint();
	must_be(t, reads, WINDOW + PAGE, "read-only");
	expect(reads || painted(0, 2), "and nothing was written");
	window_protect(0, 2, READ_WRITE);
}

static void test_swapped(const struct target *t)
{
	uint64_t pointer = WINDOW + PAGE - 1 - random64() % (t->size - 1);
	uint64_t v[NARGS] = { 0 };

	kinds++;
	paint();
	if (t->fill)
		t->fill(in_alias(pointer));
	t->ready(v); /* so that nothing else happens before the call */
	expect(swap_out(WINDOW) && swap_out(WINDOW + PAGE), "they go");
	expect(swap_out((uintptr_t)alias), "also where they are mapped twice");
	expect(call_right(t, call_with(t, pointer), in_alias(pointer)),
	       "swapped out");
}

/* Shared with a clone, which keeps what it had. */
static void test_shared(const struct target *t)
{
	uint8_t *own = alias;
	handle_t clone;
	long va;

	paint();
	if (t->fill)
		t->fill(alias);
	clone = (handle_t)sys_mem_clone(window_mem);
	va = sys_mem_map(startup->self, clone, 0, 0, WINDOW_PAGES,
			 WEIR_P_READ);
	expect(va > 0, "a clone is made");
	must_go(t, WINDOW, "shared with a clone");
	alias = (uint8_t *)va; /* to look at that one */
	if (t->use == USE_WRITTEN && va > 0)
		expect(painted(0, WINDOW_PAGES), "the clone is what it was");
	alias = own;
	pages_unmap((void *)va, WINDOW_PAGES);
	sys_handle_close(clone);
}

static void test_paged(const struct target *t)
{
	supplying = t;
	expect(swap_out(supplied), "the page goes");
	must_fail(t, failing, "its pager fails");
	kinds++;
	expect(call_right(t, call_with(t, supplied), (uint8_t *)supplied),
	       "its pager supplies it");
}

unsigned test_places(const struct target *t)
{
	kinds = 0;
	test_unmapped(t);
	test_edge(t, 1);
	test_edge(t, t->size - 1);
	test_edge(t, 1 + random64() % (t->size - 1));
	test_fits(t);
	test_swapped(t);
	test_shared(t);
	test_paged(t);
	return kinds;
}
