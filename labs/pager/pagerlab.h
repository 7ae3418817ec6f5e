/*
 * pagerlab.h - what the programs of lab pager share: a pager by hand, and
 * readers of its pages.
 *
 * A reader touches a page through a system call that copies from it, so that
 * a page that does not come is an error, and not the end of the task.
 */
#pragma once

#include "labs/lab.h"
#include "user/tests/store.h"

static inline volatile uint64_t *map(handle_t mem, uint64_t npages)
{
	long va = sys_mem_map(startup->self, mem, 0, 0, npages,
			      WEIR_P_READ | WEIR_P_WRITE);

	CHECK(va > 0);
	return (volatile uint64_t *)va;
}

static inline void unmap(volatile uint64_t *m, uint64_t npages)
{
	CHECK(sys_mem_unmap(startup->self, (uintptr_t)m, npages) == 0);
}

/* ---- a pager by hand ----------------------------------------------------- */

struct bare {
	handle_t ntfn, pager, mem;
	uint64_t npages;
	volatile uint64_t *m;
};

static inline struct bare bare_new(uint64_t npages, uint64_t deadline_ns)
{
	struct bare b = { .ntfn = (handle_t)sys_ntfn_create(),
			  .npages = npages };
	long h = sys_pager_create(b.ntfn, 0, npages, deadline_ns, &b.mem);

	CHECK(h > 0 && b.mem);
	b.pager = (handle_t)h;
	b.m = map(b.mem, npages);
	return b;
}

static inline void bare_drop(struct bare *b)
{
	unmap(b->m, b->npages);
	sys_handle_close(b->mem);
	if (b->pager)
		sys_handle_close(b->pager);
	sys_handle_close(b->ntfn);
}

/* The next request; waits for it. */
static inline struct weir_pager_request take(const struct bare *b)
{
	struct weir_pager_request r = { 0 };
	uint8_t *bytes = pages_map(1, NULL);
	long error;

	while ((error = sys_pager_next(b->pager, &r, bytes)) == -WEIR_EBUSY)
		sys_ntfn_wait(b->ntfn, 1, 0, NULL);
	CHECK(error == 0);
	pages_unmap(bytes, 1);
	return r;
}

static inline long give(const struct bare *b,
			const struct weir_pager_request *r)
{
	uint64_t *words = pages_map(1, NULL);
	long error;

	fill(words, r->page);
	error = sys_pager_done(b->pager, r->cookie, words, 0);
	pages_unmap(words, 1);
	return error;
}

/* ---- readers ------------------------------------------------------------- */

struct reader {
	struct uthread *thread;
	volatile uint64_t *at;
	bool came;
	uint64_t ns; /* that it took */
};

/* Whether the page can be had. `spare` is another pager: the bytes of an answer
 * to it are read before it is found that nobody asked. */
static inline bool comes(handle_t spare, volatile uint64_t *at)
{
	long error = sys_pager_done(spare, 1, (void *)(uintptr_t)at, 0);

	CHECK(error == -WEIR_EINVAL || error == -WEIR_EFAULT);
	return error == -WEIR_EINVAL;
}

static inline void read_one(void *arg)
{
	struct reader *r = arg;
	uint64_t start = now_ns();
	handle_t mem, ntfn = (handle_t)sys_ntfn_create();
	long spare = sys_pager_create(ntfn, 0, 1, 0, &mem);

	CHECK(spare > 0);
	r->came = comes((handle_t)spare, r->at);
	r->ns = now_ns() - start;
	sys_handle_close((handle_t)spare);
	sys_handle_close(mem);
	sys_handle_close(ntfn);
}

static inline void reader_start(struct reader *r, const struct bare *b,
				uint64_t page)
{
	r->at = b->m + page * WORDS;
	r->thread = uthread_start(read_one, r, -1);
	CHECK(r->thread);
}

static inline bool reader_got(struct reader *r)
{
	uthread_join(r->thread);
	return r->came;
}

static inline bool good(const struct bare *b, uint64_t page)
{
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < WORDS; i++)
		wrong += b->m[page * WORDS + i] != pattern(page, i);
	return wrong == 0;
}
