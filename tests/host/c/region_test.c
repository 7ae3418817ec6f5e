/*
 * region_test.c - the region tree beside a plain array of pages.
 */
#include "shim.h"

#include "kernel/abi/weir.h"
#include "mm/aspace.h"

#define PAGES 512
#define BASE WEIR_USER_BASE
#define PAGE WEIR_PAGE_SIZE

static struct region_tree tree = RB_INITIALIZER(&tree);
static struct region *page[PAGES]; /* who covers it */

static uint64_t va_of(unsigned i)
{
	return BASE + i * PAGE;
}

static bool plain_free(unsigned start, unsigned end)
{
	for (unsigned i = start; i < end; i++)
		if (page[i])
			return false;
	return true;
}

static void add(unsigned start, unsigned end)
{
	struct region *r = calloc(1, sizeof(*r));

	r->start = va_of(start);
	r->end = va_of(end);
	region_insert(&tree, r);
	for (unsigned i = start; i < end; i++)
		page[i] = r;
}

static void drop(struct region *r)
{
	RB_REMOVE(region_tree, &tree, r);
	for (unsigned i = 0; i < PAGES; i++)
		if (page[i] == r)
			page[i] = NULL;
	free(r);
}

static void check_lookups(void)
{
	unsigned i = shim_random() % PAGES, k = i;
	struct region *r = region_at_or_above(&tree, va_of(i) +
					      shim_random() % PAGE);

	while (k < PAGES && !page[k])
		k++;
	CHECK(r == (k < PAGES ? page[k] : NULL));
	CHECK(region_at_or_above(&tree, va_of(PAGES)) == NULL);
}

static void check_order(void)
{
	struct region *r = region_at_or_above(&tree, 0);
	uint64_t end = 0;
	unsigned pages = 0, covered = 0;

	for (; r; r = RB_NEXT(region_tree, &tree, r)) {
		CHECK(r->start >= end && r->end > r->start);
		end = r->end;
		pages += (r->end - r->start) / PAGE;
	}
	for (unsigned i = 0; i < PAGES; i++)
		covered += page[i] != NULL;
	CHECK(pages == covered);
}

/* A place that is found is free, and so is the page before it. */
static void check_find(void)
{
	uint64_t bytes = (1 + shim_random() % 20) * PAGE;
	uint64_t from = va_of(shim_random() % PAGES);
	uint64_t va = region_find_free(&tree, from, bytes);
	CHECK(va >= from);
	CHECK(region_free_range(&tree, va, va + bytes));
	CHECK(region_free_range(&tree, va - PAGE, va));
}

static void test_random(bool find)
{
	for (unsigned step = 0; step < 20000; step++) {
		unsigned a = shim_random() % PAGES;
		unsigned b = a + 1 + shim_random() % 12;

		b = b < PAGES ? b : PAGES;
		CHECK(region_free_range(&tree, va_of(a), va_of(b)) ==
		      plain_free(a, b));
		if (plain_free(a, b))
			add(a, b);
		else if (page[a] && shim_random() % 2)
			drop(page[a]);
		check_lookups();
		if (find)
			check_find();
		if (step % 64 == 0)
			check_order();
	}
}

static void clash(void *arg)
{
	static struct region r;

	r.start = ((struct region *)arg)->start;
	r.end = r.start + PAGE;
	region_insert(&tree, &r);
}

static void test_edges(void)
{
	struct region *r;

	while ((r = region_at_or_above(&tree, 0)))
		drop(r);
	CHECK(region_free_range(&tree, 0, UINT64_MAX));
	CHECK(region_find_free(&tree, BASE, PAGE) == BASE);
	CHECK(region_find_free(&tree, BASE, WEIR_USER_TOP) == 0);
	CHECK(region_find_free(&tree, BASE, UINT64_MAX) == 0);
	CHECK(region_find_free(&tree, WEIR_USER_TOP - PAGE, PAGE) ==
	      WEIR_USER_TOP - PAGE);
	CHECK(region_find_free(&tree, WEIR_USER_TOP - PAGE, 2 * PAGE) == 0);
	add(0, 4);
	CHECK(region_find_free(&tree, BASE, PAGE) == va_of(5));
	expect_panic(clash, page[0], "violated");
}

int main(int argc, char **argv)
{
	shim_seed(argc, argv);
	test_random(argc > 2);
	test_edges();
	return 0;
}
