/*
 * pageio.h - one page on its way between memory and where it is kept.
 *
 * A page of an anonymous object is kept in a swap slot, one of a paged object
 * by its pager, a program. Both take the same request and answer it later,
 * from a thread of their own. Invariants: I4 (no write-out while a CPU may
 * store to the page), I9.
 */
#pragma once

#include "mm/frame.h"


/* The caller owns the memory (reclaim allocates nothing) and keeps it until
 * done() was called; it fills the first group. */
struct pageio {
	struct frame *frame;
	struct pager *pager; /* who keeps the page; NULL: the swap device */
	uint64_t page;       /* of the paged object */
	uint32_t slot;       /* of the swap device */
	bool write;          /* true: out of memory */
	void (*done)(struct pageio *io); /* thread context, no lock held,
					  * must not sleep for IO */
	void *arg; /* the caller's */

	int status; /* for done(): 0 or -WEIR_EIO */

	TAILQ_ENTRY(pageio) link; /* the device's, or the pager's */
	uint64_t due_ns;          /* likewise: when it ends, at the latest */
	uint64_t cookie;          /* the pager's; 0: not with it */
	bool taken;               /* the pager knows of it */
};
TAILQ_HEAD(pageio_list, pageio);

/* Starts it. True: it was a read, and is over already, without done(). Else
 * done() may have been called before this returns, and a write may wait for
 * ramdisk_kick, which follows a run of them. Thread context, no lock held. */
bool pageio_submit(struct pageio *io);

/* For the device: it is over, with io->status; calls done(). */
void pageio_end(struct pageio *io);

/* Starts `n` reads and sleeps until they are over (`done` and `arg` are set
 * here). io->status of the first; what goes to a program is read alone. A
 * pager that is late, or a kill meanwhile, is an error. */
int pageio_read(struct pageio *io, unsigned n);
