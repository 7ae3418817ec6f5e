/*
 * pager.h - being a pager: threads that answer for a paged object.
 *
 * The two functions run in any of these threads. `read` fills the 4096 bytes
 * of a page (they are zero when it is called), `write` keeps them; both return
 * 0 or an error, which fails the request. They must not touch the object's own
 * pages: they would wait for themselves, until the deadline.
 *
 * A pager that is to outlive its program needs somebody who keeps copies of
 * the three handles (init, user/lib/server.h), and `taken` in memory that is
 * kept, too: requests wait until the next incarnation calls upager_run, and
 * that answers first what the dead one had in hand.
 */
#pragma once

#include "user/lib/weir_user.h"

#define UPAGER_THREADS 8

struct upager {
	/* The caller's. */
	long (*read)(void *arg, uint64_t page, void *bytes);
	long (*write)(void *arg, uint64_t page, const void *bytes);
	void *arg;
	uint64_t npages;
	uint64_t deadline_ns; /* 0: the longest */
	unsigned nthreads;    /* 1..UPAGER_THREADS; 0: one */
	struct weir_pager_request *taken; /* the one in hand; only with one
					   * thread; NULL: of no interest */

	/* Filled by upager_make, or kept since then. */
	handle_t mem; /* the object: to be mapped and given away */
	handle_t pager, ntfn;
	struct uthread *threads[UPAGER_THREADS];
};

/* Makes the object. 0 or an error. */
long upager_make(struct upager *p);
/* Starts the threads. 0, or an error, and all is closed. */
long upager_run(struct upager *p);
/* Both. */
long upager_start(struct upager *p);

/* Ends the threads and the pager: what is not in memory is lost. */
void upager_stop(struct upager *p);
