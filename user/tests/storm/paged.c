/*
 * paged.c - a sparse object larger than RAM, its pager, and who uses it.
 *
 * Each page has a pattern, and in it a cell for each thread of this role,
 * which counts that thread's stores to the page. So several CPUs store to a
 * page at once, and one lost store is a wrong count. The pager makes up the
 * patterns and keeps the cells.
 */
#include <string.h>

#include "user/lib/pager.h"
#include "user/tests/storm/storm.h"

/* ---- the pager: a program of its own ------------------------------------- */

static uint64_t (*kept)[STORM_CELLS];

static long supply(void *arg, uint64_t page, void *bytes)
{
	struct storm *s = arg;
	uint64_t *words = bytes;

	for (uint64_t i = 0; i < WORDS; i++)
		words[i] = storm_word(s->seed + page, i);
	for (unsigned id = 0; id < STORM_CELLS; id++)
		words[storm_cell(page, id)] = kept[page][id];
	return 0;
}

/* Nothing but the cells may have changed, and they only grow. */
static long keep(void *arg, uint64_t page, const void *bytes)
{
	struct worker w = { .storm = arg, .role = ROLES };
	const uint64_t *words = bytes;
	uint64_t bad = 0;

	for (unsigned id = 0; id < STORM_CELLS; id++) {
		uint64_t count = words[storm_cell(page, id)];

		bad += count < kept[page][id];
		kept[page][id] = count;
	}
	for (uint64_t i = 0; i < WORDS; i++)
		bad += words[i] != storm_word(w.storm->seed + page, i) &&
		       !storm_is_cell(page, i);
	storm_check(&w, bad == 0, "page that comes back to its pager", page);
	__atomic_add_fetch(&w.storm->checks, w.checks, __ATOMIC_RELAXED);
	return 0;
}

/* Runs until it is killed. */
int storm_pager(struct storm *storm)
{
	uint64_t n = storm->paged_pages, bytes = n * sizeof(*kept);
	struct upager p = { .read = supply, .write = keep, .arg = storm,
			    .npages = n, .nthreads = UPAGER_THREADS,
			    .mem = startup->extra[EXTRA_PAGED],
			    .pager = startup->extra[EXTRA_PAGER],
			    .ntfn = startup->extra[EXTRA_NTFN] };

	kept = (void *)pages_map((bytes + PAGE - 1) / PAGE, NULL);
	if (storm->cpus < UPAGER_THREADS)
		p.nthreads = (unsigned)storm->cpus;
	if (!kept || upager_run(&p) < 0)
		return 1;
	for (;;)
		uthread_join(p.threads[0]);
}

/* ---- those who store ----------------------------------------------------- */

/* `pattern`: all of the page, not just a few words. */
static void check_page(struct worker *w, volatile uint64_t *p, uint64_t page,
		       uint32_t count, bool pattern)
{
	uint64_t key = w->storm->seed + page, bad = 0;

	storm_check(w, p[storm_cell(page, w->id)] == count, "count of stores",
		    page);
	for (uint64_t i = pattern ? 0 : w->random % 97; i < WORDS;
	     i += pattern ? 1 : 97)
		bad += p[i] != storm_word(key, i) && !storm_is_cell(page, i);
	storm_check(w, bad == 0, "page of the paged object", page);
}

void storm_paged(struct worker *w)
{
	uint64_t n = w->storm->paged_pages, threads = 2 * w->storm->tasks;
	uint32_t *count = calloc(n, sizeof(*count));
	long va = sys_mem_map(startup->self, startup->extra[EXTRA_PAGED], 0, 0,
			      n, WEIR_P_READ | WEIR_P_WRITE);
	volatile uint64_t *object = (volatile uint64_t *)va;

	if (!storm_check(w, count && va > 0, "no memory", n))
		return;
	while (!storm_stopped(w)) {
		uint64_t page = storm_random(w, n);
		volatile uint64_t *p = object + page * WORDS;

		if (storm_random(w, 2)) {
			p[storm_cell(page, w->id)]++;
			count[page]++;
		}
		check_page(w, p, page, count[page], false);
		w->ops++;
	}
	for (uint64_t page = 0; page < n; page++)
		check_page(w, object + page * WORDS, page, count[page],
			   page % threads == w->id);
}
