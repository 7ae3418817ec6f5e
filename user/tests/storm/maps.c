/*
 * maps.c - mappings that come and go while reclaim takes their pages: two
 * views of one object, protection, clones, objects that die, windows of the
 * paged object. Two threads of a task do this in one address space.
 */
#include "user/tests/storm/storm.h"

#define OBJECT_PAGES 64u
#define READ_WRITE (WEIR_P_READ | WEIR_P_WRITE)

struct maps {
	handle_t mem;
	uint32_t version[OBJECT_PAGES]; /* 0: zeros */
	uint32_t mark; /* in each version that is written here */
};

static volatile uint64_t *map(struct worker *w, handle_t mem, uint64_t page,
			      uint64_t npages, unsigned prot)
{
	long va = sys_mem_map(startup->self, mem, page, 0, npages, prot);

	return storm_check(w, va > 0, "no mapping", page)
		? (volatile uint64_t *)va : NULL;
}

static void unmap(struct worker *w, volatile uint64_t *p, uint64_t npages)
{
	if (p)
		storm_check(w, sys_mem_unmap(startup->self, (uintptr_t)p,
					     npages) == 0, "no unmapping", 0);
}

static uint64_t key_of(struct worker *w, struct maps *m, uint64_t page)
{
	return w->storm->seed + ((uint64_t)w->id << 40) + (page << 32) +
	       m->version[page];
}

static void check_page(struct worker *w, struct maps *m,
		       volatile uint64_t *p, uint64_t page)
{
	uint64_t key = key_of(w, m, page), bad = 0;

	for (uint64_t i = 0; i < WORDS; i++)
		bad += p[i] != (m->version[page] ? storm_word(key, i) : 0);
	storm_check(w, bad == 0, "page of a mapped object", page);
}

static void write_page(struct worker *w, struct maps *m,
		       volatile uint64_t *p, uint64_t page)
{
	uint64_t key;

	m->version[page] = (m->version[page] + 1) | m->mark;
	key = key_of(w, m, page);
	for (uint64_t i = 0; i < WORDS; i++)
		p[i] = storm_word(key, i);
}

/* Not even the kernel writes there for us. */
static void check_protected(struct worker *w, volatile uint64_t *p)
{
	storm_check(w, sys_sys_info(WEIR_INFO_SYSTEM, 0, (void *)p,
				    sizeof(struct weir_system)) ==
			       -WEIR_EFAULT, "protected page written", 0);
}

/* What is written through one view is read through the other; what was
 * protected is not written any more. */
static void two_views(struct worker *w, struct maps *m)
{
	uint64_t n = 1 + storm_random(w, 12);
	uint64_t first = storm_random(w, OBJECT_PAGES - n);
	volatile uint64_t *a = map(w, m->mem, first, n, READ_WRITE);
	volatile uint64_t *b = map(w, m->mem, first, n, WEIR_P_READ);

	for (uint64_t i = 0; a && b && i < n; i++) {
		check_page(w, m, b + i * WORDS, first + i);
		if (storm_random(w, 2))
			write_page(w, m, a + i * WORDS, first + i);
		check_page(w, m, b + i * WORDS, first + i);
	}
	if (a && b) {
		sys_mem_protect(startup->self, (uintptr_t)a, n, WEIR_P_READ);
		check_protected(w, a);
		check_page(w, m, a, first);
		sys_mem_protect(startup->self, (uintptr_t)a, n, READ_WRITE);
		write_page(w, m, a, first);
		check_page(w, m, b, first);
	}
	unmap(w, a, n);
	unmap(w, b, n);
}

/* Fresh memory is zeros, whoever had its frames (P1). */
static void short_life(struct worker *w)
{
	uint64_t n = 1 + storm_random(w, 16), bad = 0;
	long mem = sys_mem_create(n, 0);
	volatile uint64_t *p;

	if (!storm_check(w, mem > 0, "no object", n))
		return;
	p = map(w, (handle_t)mem, 0, n, READ_WRITE);
	sys_handle_close((handle_t)mem);
	for (uint64_t i = 0; p && i < n * WORDS; i++) {
		bad += p[i] != 0;
		p[i] = ~i;
	}
	storm_check(w, bad == 0, "fresh memory", n);
	unmap(w, p, n);
}

/* Both go on from the same bytes, and neither sees what the other writes. */
static void clone_life(struct worker *w, struct maps *m)
{
	uint64_t n = 1 + storm_random(w, 12);
	uint64_t first = storm_random(w, OBJECT_PAGES - n);
	long mem = sys_mem_clone(m->mem);
	struct maps copy = *m;
	volatile uint64_t *a, *b;

	if (!storm_check(w, mem > 0, "no clone", first))
		return;
	copy.mem = (handle_t)mem;
	copy.mark = 1u << 31;
	a = map(w, m->mem, first, n, READ_WRITE);
	b = map(w, copy.mem, first, n, READ_WRITE);
	for (uint64_t i = 0; a && b && i < n; i++) {
		uint64_t what = storm_random(w, 4);

		if (what & 1)
			write_page(w, m, a + i * WORDS, first + i);
		if (what & 2)
			write_page(w, &copy, b + i * WORDS, first + i);
		check_page(w, m, a + i * WORDS, first + i);
		check_page(w, &copy, b + i * WORDS, first + i);
	}
	unmap(w, a, n);
	unmap(w, b, n);
	sys_handle_close(copy.mem);
}

/* A window of the paged object: all but the cells is known. */
static void window(struct worker *w)
{
	uint64_t n = 16, bad = 0;
	uint64_t first = storm_random(w, w->storm->paged_pages - n);
	volatile uint64_t *p = map(w, startup->extra[EXTRA_PAGED], first, n,
				   WEIR_P_READ);

	for (uint64_t i = w->random % 61; p && i < n * WORDS; i += 61) {
		uint64_t page = first + i / WORDS;

		bad += p[i] != storm_word(w->storm->seed + page, i % WORDS) &&
		       !storm_is_cell(page, i % WORDS);
	}
	storm_check(w, bad == 0, "window of the paged object", first);
	unmap(w, p, n);
}

void storm_maps(struct worker *w)
{
	struct maps m = { .mem = (handle_t)sys_mem_create(OBJECT_PAGES, 0) };
	volatile uint64_t *all;

	while (!storm_stopped(w)) {
		uint64_t what = storm_random(w, 8);

		if (what < 4)
			two_views(w, &m);
		else if (what < 6)
			clone_life(w, &m);
		else if (what < 7)
			window(w);
		else
			short_life(w);
		w->ops++;
	}
	all = map(w, m.mem, 0, OBJECT_PAGES, WEIR_P_READ);
	for (uint64_t i = 0; all && i < OBJECT_PAGES; i++)
		check_page(w, &m, all + i * WORDS, i);
	unmap(w, all, OBJECT_PAGES);
	sys_handle_close(m.mem);
}
