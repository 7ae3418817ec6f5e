/*
 * pager.c - requests between reclaim, faults, and a program that answers.
 *
 * A request is its maker's memory, on one list until it ends in one of these
 * ways, whichever takes it off the list first, under the lock:
 *   A pager_done: answered                  C the pager dies: fails
 *   B pager_cancel: late, or its maker was killed; a later answer names a
 *     cookie that is gone
 * Frames stay INBOUND or LAUNDRY meanwhile, so a page that is written cannot
 * change under the copy (the fault handler maps it read-only).
 */
#include "mm/pager.h"

#include "mm/kmalloc.h"

struct pager {
	uint64_t refs; /* atomic: answerers, and one of the object */
	uint64_t answerers; /* atomic */
	struct pager_client client;
	uint64_t deadline_ns;
	struct frame *bounce; /* its use is under bounce_mutex */
	struct mutex bounce_mutex;

	struct spinlock lock; /* guards all below */
	struct pageio_list requests;
	uint64_t last_cookie;
	bool dead; /* nobody can answer any more */
	bool late; /* did not write a page, or not in time */
};

struct pager *pager_create(uint64_t npages, struct pager_client client,
			   uint64_t deadline_ns, struct account *account,
			   struct memobj **obj)
{
	struct pager *p = kzalloc(sizeof(*p));
	struct frame *bounce = p ? frame_alloc(FRAME_MAYWAIT) : NULL;

	*obj = bounce ? memobj_create(npages, p, account) : NULL;
	if (!*obj) {
		if (bounce)
			frame_free(bounce);
		kfree(p);
		return NULL;
	}
	p->bounce = bounce;
	mutex_init(&p->bounce_mutex);
	p->refs = 2;
	p->answerers = 1;
	p->client = client;
	p->deadline_ns = deadline_ns && deadline_ns < PAGER_DEADLINE_MAX_NS ?
			 deadline_ns : PAGER_DEADLINE_MAX_NS;
	spin_init(&p->lock, RANK_pager);
	TAILQ_INIT(&p->requests);
	return p;
}

/* ---- the end of a request ------------------------------------------------ */

/* Takes it off the list. Holds p->lock. */
static void unlink_request(struct pager *p, struct pageio *io)
{
	TAILQ_REMOVE(&p->requests, io, link);
	io->cookie = 0;
}

static void finish(struct pageio *io, int status)
{
	io->status = status ? -WEIR_EIO : 0;
	pageio_end(io);
}

bool pager_cancel(struct pageio *io)
{
	/* LAB pager begin: take it back, unless it was answered; remember
	 * who was late with a write; say which page was late */
	struct pager *p = io->pager;

	if (!p)
		return false;
	bool late = time_ns() >= io->due_ns;
	spin_lock(&p->lock);
	bool queued = io->cookie;
	if (queued)
		unlink_request(p, io);
	bool said = io->write && p->late; /* once is enough */
	p->late |= queued && late && io->write;
	spin_unlock(&p->lock);
	if (queued && late && !said)
		kprintf("pager: page %lu was not %s within %lu ms\n", io->page,
			io->write ? "written" : "supplied",
			p->deadline_ns / 1000000);
	return queued;
	/* LAB pager stub
	 * return false;
	 */
	/* LAB pager end */
}

/* ---- references ---------------------------------------------------------- */

void pager_forget(struct pager *p)
{
	if (__atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL))
		return;
	p->client.release(p->client.arg);
	frame_free(p->bounce);
	kfree(p);
}

void pager_get(struct pager *p)
{
	__atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&p->answerers, 1, __ATOMIC_RELAXED);
}

/* Outcome C, for all that are left. */
static void die(struct pager *p)
{
	/* LAB pager begin: nobody answers any more: tell whoever waits,
	 * and see to it that whoever comes is told */
	for (;;) {
		spin_lock(&p->lock);
		p->dead = true;
		struct pageio *io = TAILQ_FIRST(&p->requests);
		if (io)
			unlink_request(p, io);
		spin_unlock(&p->lock);
		if (!io)
			return;
		finish(io, -WEIR_EIO);
	}
	/* LAB pager end */
}

void pager_put(struct pager *p)
{
	if (__atomic_sub_fetch(&p->answerers, 1, __ATOMIC_ACQ_REL) == 0)
		die(p);
	pager_forget(p);
}

bool pager_takes_writes(struct pager *p)
{
	return !__atomic_load_n(&p->dead, __ATOMIC_RELAXED) &&
	       !__atomic_load_n(&p->late, __ATOMIC_RELAXED);
}

/* ---- requests ------------------------------------------------------------ */

void pager_submit(struct pageio *io)
{
	struct pager *p = io->pager;
	unsigned state = io->frame->state;

	assert(state == (io->write ? FRAME_LAUNDRY : FRAME_INBOUND));
	/* LAB pager begin: when it ends, at the latest; its name; the
	 * list; the program's notice; what if nobody can answer? */
	io->due_ns = time_ns() + p->deadline_ns;
	io->taken = false;
	spin_lock(&p->lock);
	bool dead = p->dead;
	if (!dead) {
		io->cookie = ++p->last_cookie;
		TAILQ_INSERT_TAIL(&p->requests, io, link);
		/* Once the lock is free, io and p may be gone. */
		p->client.notify(p->client.arg, p->client.bits);
	}
	spin_unlock(&p->lock);
	if (dead)
		finish(io, -WEIR_EIO);
	/* LAB pager stub
	 * io->due_ns = UINT64_MAX;
	 * spin_lock(&p->lock);
	 * io->cookie = 1;
	 * TAILQ_INSERT_TAIL(&p->requests, io, link);
	 * p->client.notify(p->client.arg, p->client.bits);
	 * spin_unlock(&p->lock);
	 */
	/* LAB pager end */
}

void *pager_bounce_take(struct pager *p)
{
	mutex_lock(&p->bounce_mutex);
	return frame_kva(p->bounce);
}

void pager_bounce_drop(struct pager *p)
{
	mutex_unlock(&p->bounce_mutex);
}

int pager_next(struct pager *p, struct weir_pager_request *out, void *bounce)
{
	struct pageio *io = NULL, *at;

	spin_lock(&p->lock);
	TAILQ_FOREACH(at, &p->requests, link)
		if (!at->taken && (!io || (io->write && !at->write)))
			io = at;
	if (io) {
		io->taken = true;
		*out = (struct weir_pager_request){
			.cookie = io->cookie, .page = io->page,
			.kind = io->write ? WEIR_PAGER_WRITE :
					    WEIR_PAGER_READ };
		if (io->write)
			memcpy(bounce, frame_kva(io->frame), WEIR_PAGE_SIZE);
	}
	spin_unlock(&p->lock);
	return io ? 0 : -WEIR_EBUSY;
}

/* The taken request with that cookie, or NULL. Holds p->lock. */
static struct pageio *find(struct pager *p, uint64_t cookie)
{
	struct pageio *io;

	TAILQ_FOREACH(io, &p->requests, link)
		if (io->cookie == cookie && io->taken)
			break;
	return io;
}

void pager_untake(struct pager *p, uint64_t cookie)
{
	spin_lock(&p->lock);
	struct pageio *io = find(p, cookie);
	if (io)
		io->taken = false;
	spin_unlock(&p->lock);
}

int pager_done(struct pager *p, uint64_t cookie, const void *bounce,
	       int status)
{
	/* LAB pager begin: which request is meant, if any? A read gets
	 * its bytes; a write that failed is remembered; it ends, once */
	spin_lock(&p->lock);
	struct pageio *io = find(p, cookie);
	if (io)
		unlink_request(p, io);
	if (io && io->write && status)
		p->late = true;
	if (io && !io->write && !status) {
		if (bounce)
			memcpy(frame_kva(io->frame), bounce, WEIR_PAGE_SIZE);
		else
			memset(frame_kva(io->frame), 0, WEIR_PAGE_SIZE);
	}
	spin_unlock(&p->lock);
	if (!io)
		return -WEIR_EINVAL;
	finish(io, status);
	return 0;
	/* LAB pager stub
	 * struct pageio *io;
	 *
	 * spin_lock(&p->lock);
	 * TAILQ_FOREACH(io, &p->requests, link)
	 * 	if (io->taken)
	 * 		break;
	 * unlink_request(p, io);
	 * if (!io->write)
	 * 	memcpy(frame_kva(io->frame), bounce, WEIR_PAGE_SIZE);
	 * spin_unlock(&p->lock);
	 * finish(io, 0);
	 * return 0;
	 */
	/* LAB pager end */
}
