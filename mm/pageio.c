/*
 * pageio.c - starting a page's IO, and waiting for a read.
 */
#include "mm/pageio.h"

#include "kernel/stat.h"
#include "mm/oracle.h"
#include "mm/pager.h"
#include "mm/swap.h"

struct wait {
	struct spinlock lock;
	struct waitq wq;
	unsigned left; /* under lock: reads that are not over */
};

bool pageio_submit(struct pageio *io)
{
	ORACLE(io(io->frame, !io->write)); /* P2, whoever starts it */
	if (io->pager) {
		stat_add(io->write ? WEIR_C_pager_out : WEIR_C_pager_in, 1);
		pager_submit(io);
		return false;
	}
	if (!swap_submit(io))
		return false;
	swap_check(io);
	return true;
}

void pageio_end(struct pageio *io)
{
	swap_check(io);
	io->done(io);
}

/* Its last touch of the waiter's stack is the unlock. */
static void read_done(struct pageio *io)
{
	struct wait *w = io->arg;

	spin_lock(&w->lock);
	w->left--;
	waitq_wake_all(&w->wq);
	spin_unlock(&w->lock);
}

int pageio_read(struct pageio *io, unsigned n)
{
	struct wait w = { SPINLOCK_INIT(pageio), WAITQ_INIT(w.wq), n };
	unsigned over = 0;

	for (unsigned i = 0; i < n; i++) {
		io[i].done = read_done;
		io[i].arg = &w;
		over += pageio_submit(&io[i]);
	}
	if (over == n)
		return io->status;
	spin_lock(&w.lock);
	w.left -= over;
	while (w.left) {
		if (!io->pager)
			waitq_sleep(&w.wq, &w.lock);
		else if ((!waitq_wait(&w.wq, &w.lock, io->due_ns) ||
			  time_ns() >= io->due_ns) && pager_cancel(io))
			return io->status = -WEIR_EIO;
		spin_lock(&w.lock);
	}
	spin_unlock(&w.lock);
	return io->status;
}
