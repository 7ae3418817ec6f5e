/*
 * pager.h - paged objects: a program supplies the pages and takes them back.
 *
 * Requests wait here until the program takes and answers them. Nothing that
 * it does is trusted: a request that it does not answer in time, or answers
 * with an error, fails for the thread that made it (a read), or leaves the
 * page dirty in memory (a write). A pager that was late with a write, or is
 * gone, gets no more: its dirty pages go to the swap device instead, as
 * Mach's double paging does. Lock: pager->lock; the page is copied
 * under it, to and from the kernel's memory only.
 */
#pragma once


#include "mm/memobj.h"
#include "mm/pageio.h"

/* Whoever must be told that a request has come. */
struct pager_client {
	void (*notify)(void *arg, uint64_t bits); /* under pager->lock */
	void (*release)(void *arg); /* with the last reference */
	void *arg;
	uint64_t bits;
};

#define PAGER_DEADLINE_MAX_NS 10000000000ull

/* A pager and its object of `npages`, with a reference of each. A request is
 * failed after `deadline_ns`, or the maximum. The object's pages are charged
 * to `account`. NULL: no memory, or too large; the client is not released
 * then. */
struct pager *pager_create(uint64_t npages, struct pager_client client,
			   uint64_t deadline_ns, struct account *account,
			   struct memobj **obj);

/* References of those who answer. With the last one the pager is dead. May
 * sleep. */
void pager_get(struct pager *p);
void pager_put(struct pager *p);
/* Of the object. */
void pager_forget(struct pager *p);

/* It may still be given pages to write. */
bool pager_takes_writes(struct pager *p);

void pager_submit(struct pageio *io);

/* Takes back a request that is late, or not wanted any more, and marks a
 * late writer. False: it has been answered; done() was, or will be, called.
 * True: done() will not. */
bool pager_cancel(struct pageio *io);

/* A page of the kernel's between a request and its program, which is copied to
 * and from without a lock; one for all who answer. It is there from the start,
 * for who gives memory must not need some (P5). take sleeps. */
void *pager_bounce_take(struct pager *p);
void pager_bounce_drop(struct pager *p);

/* The next request that nobody has taken, reads first, for somebody waits for
 * them; `bounce` gets the bytes of a write. 0 or -WEIR_EBUSY: none waits. */
int pager_next(struct pager *p, struct weir_pager_request *out, void *bounce);
/* It could not be handed over after all: somebody else may take it. */
void pager_untake(struct pager *p, uint64_t cookie);

/* Answers a taken request: a read with the bytes of `bounce` (NULL: zeros)
 * if `status` is 0. 0 or -WEIR_EINVAL: there is no such request any more. */
int pager_done(struct pager *p, uint64_t cookie, const void *bounce,
	       int status);
