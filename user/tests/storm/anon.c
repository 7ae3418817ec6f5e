/*
 * anon.c - anonymous memory that is rewritten and read, beyond what RAM
 * holds: all of it goes through swap.
 */
#include "user/tests/storm/storm.h"

struct anon {
	volatile uint64_t *memory;
	uint16_t *version; /* of each page; 0: never written, zeros */
	uint64_t npages;
};

static uint64_t key_of(struct worker *w, struct anon *a, uint64_t page)
{
	return w->storm->seed + (((uint64_t)w->id << 32 | page) << 16) +
	       a->version[page];
}

static void write_page(struct worker *w, struct anon *a, uint64_t page)
{
	volatile uint64_t *p = a->memory + page * WORDS;
	uint64_t key;

	a->version[page]++;
	if (!a->version[page])
		a->version[page]++;
	key = key_of(w, a, page);
	for (uint64_t i = 0; i < WORDS; i++)
		p[i] = storm_word(key, i);
}

static void check_page(struct worker *w, struct anon *a, uint64_t page,
		       uint64_t step)
{
	volatile uint64_t *p = a->memory + page * WORDS;
	uint64_t key = key_of(w, a, page), bad = 0;

	for (uint64_t i = page % step; i < WORDS; i += step)
		bad += p[i] != (a->version[page] ? storm_word(key, i) : 0);
	storm_check(w, bad == 0, "page of anonymous memory", page);
}

void storm_anon(struct worker *w)
{
	uint64_t n = w->storm->anon_pages;
	struct anon a = { pages_map(n, NULL), calloc(n, sizeof(uint16_t)),
			  n };

	if (!storm_check(w, a.memory && a.version, "no memory", n))
		return;
	while (!storm_stopped(w)) {
		uint64_t page = storm_random(w, n);

		if (storm_random(w, 8) < 3)
			write_page(w, &a, page);
		else
			check_page(w, &a, page, 37);
		w->ops++;
	}
	for (uint64_t page = 0; page < n; page++)
		check_page(w, &a, page, 1);
}
