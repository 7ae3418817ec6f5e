/*
 * pager.c - the loop of a pager's threads.
 */
#include "user/lib/pager.h"

#include <string.h>

#define BIT_REQUEST 0
#define BIT_STOP 1

static void answer(struct upager *p, const struct weir_pager_request *r,
		   void *bytes)
{
	long status;

	if (r->kind == WEIR_PAGER_READ) {
		memset(bytes, 0, WEIR_PAGE_SIZE);
		status = p->read(p->arg, r->page, bytes);
	} else {
		status = p->write(p->arg, r->page, bytes);
	}
	sys_pager_done(p->pager, r->cookie, bytes, status ? 1 : 0);
}

/* What an earlier incarnation had in hand: nobody else is given it. It may
 * have been answered; then this is an error that nobody minds. The bytes of
 * a write are gone, but the page is not, until we say that it is kept. */
static void answer_again(struct upager *p, const struct weir_pager_request *r,
			 void *bytes)
{
	if (r->kind == WEIR_PAGER_READ && r->page < p->npages)
		answer(p, r, bytes);
	else
		sys_pager_done(p->pager, r->cookie, NULL, 1);
}

static void serve(void *arg)
{
	struct upager *p = arg;
	struct weir_pager_request own = { 0 };
	struct weir_pager_request *r = p->taken ? p->taken : &own;
	void *bytes = pages_map(1, NULL);
	uint64_t bits = 0;

	if (bytes && r->cookie)
		answer_again(p, r, bytes);
	while (bytes && !(bits & 1u << BIT_STOP)) {
		while (sys_pager_next(p->pager, r, bytes) == 0)
			answer(p, r, bytes);
		if (sys_ntfn_wait(p->ntfn, ~0ull, 0, &bits) < 0)
			break;
	}
	if (bits & 1u << BIT_STOP) /* the others, too */
		sys_ntfn_signal(p->ntfn, 1u << BIT_STOP);
	if (bytes)
		pages_unmap(bytes, 1);
}

static void close_all(struct upager *p)
{
	for (unsigned i = 0; i < UPAGER_THREADS && p->threads[i]; i++) {
		uthread_join(p->threads[i]);
		p->threads[i] = NULL;
	}
	sys_handle_close(p->pager);
	sys_handle_close(p->mem);
	sys_handle_close(p->ntfn);
}

long upager_make(struct upager *p)
{
	long h = sys_ntfn_create();

	if (h < 0)
		return h;
	p->ntfn = (handle_t)h;
	h = sys_pager_create(p->ntfn, BIT_REQUEST, p->npages, p->deadline_ns,
			     &p->mem);
	if (h < 0) {
		sys_handle_close(p->ntfn);
		return h;
	}
	p->pager = (handle_t)h;
	return 0;
}

long upager_run(struct upager *p)
{
	for (unsigned i = 0; i < (p->nthreads ? p->nthreads : 1); i++) {
		p->threads[i] = uthread_start(serve, p, -1);
		if (!p->threads[i]) {
			upager_stop(p);
			return -WEIR_ENOMEM;
		}
	}
	return 0;
}

long upager_start(struct upager *p)
{
	long error = upager_make(p);

	return error < 0 ? error : upager_run(p);
}

void upager_stop(struct upager *p)
{
	sys_ntfn_signal(p->ntfn, 1u << BIT_STOP);
	close_all(p);
}
