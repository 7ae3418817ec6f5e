/*
 * pager_test.c - what the fuzzer calls (tests/fuzz): each byte is a step of a
 * reclaimer, of a reader, or of a pager program, which answers wrongly, late,
 * twice, what it was not asked, or dies. A model says what each must lead to.
 *
 * The threads are played by one: what happens while a reader sleeps are the
 * steps of waitq_wait. Time passes when a step says so.
 */
#include <sanitizer/asan_interface.h>

#include "shim.h"

#include "kernel/abi/weir.h"
#include "kernel/sync.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/memobj.h"
#include "mm/pager.h"
#include "arch/x86_64/time.h"

#define PAGE WEIR_PAGE_SIZE
#define REQUESTS 64u
#define READERS 8u
#define FRAMES (REQUESTS + 1) /* and a bounce page */
#define BIT 5

/* ---- the kernel around it ------------------------------------------------ */

static uint64_t now;
static unsigned pages_out, pieces_out; /* not given back */

/* Every second page; one that is not out is poisoned, and never used again for
 * the same input. */
static struct frame descriptors[2 * FRAMES];
struct frame *frames = descriptors;
uint64_t frames_end = 2 * FRAMES;
static unsigned pages_taken;

uint64_t time_ns(void)
{
	return now;
}

struct frame *(frame_alloc)(unsigned flags)
{
	struct frame *f = &frames[2 * pages_taken++];

	CHECK(pages_taken <= FRAMES);
	__asan_unpoison_memory_region(f, sizeof(*f));
	__asan_unpoison_memory_region(frame_kva(f), PAGE);
	memset(frame_kva(f), 0, PAGE);
	*f = (struct frame){ .state = FRAME_PINNED };
	pages_out++;
	return f;
}

void frame_free(struct frame *f)
{
	__asan_poison_memory_region(frame_kva(f), PAGE);
	__asan_poison_memory_region(f, sizeof(*f));
	pages_out--;
}

void *(kzalloc)(size_t size)
{
	pieces_out++;
	return calloc(1, size);
}

void kfree(void *p)
{
	pieces_out--;
	free(p);
}

struct memobj *memobj_create(uint64_t npages, struct pager *pager,
			     struct account *account)
{
	static struct memobj obj;

	return &obj;
}

bool swap_submit(struct pageio *io)
{
	CHECK(!"a paged object's page went to swap");
	return false;
}

void swap_check(const struct pageio *io)
{
	CHECK(!io->slot); /* what a pager keeps has none */
}

/* ---- the model ----------------------------------------------------------- */

/* Every request that was made; it stays what it was when it has ended. */
static struct request {
	struct pageio io, *asked; /* whose: a writer's own, or a reader's */
	struct frame *page;
	uint8_t fill;    /* what its bytes are */
	uint64_t cookie; /* 0: it was refused */
	bool queued, taken, write;
	bool done;  /* its maker was told */
	int status; /* and what */
} requests[REQUESTS];
static unsigned nrequests;

static struct pager *pager;
static struct {
	uint64_t cookie, deadline;
	unsigned answerers, notified, released, readers;
	bool late;
} model;

static void notify(void *arg, uint64_t bits)
{
	CHECK(arg == &model && bits == 1 << BIT);
	CHECK(this_cpu()->locks_held == 1u << RANK_pager);
	model.notified++;
}

static void release(void *arg)
{
	CHECK(arg == &model && !this_cpu()->locks_held);
	model.released++;
}

static void paint(uint8_t *bytes, uint8_t fill)
{
	memset(bytes, fill, PAGE);
}

static bool painted(const uint8_t *bytes, uint8_t fill)
{
	return bytes[0] == fill && !memcmp(bytes, bytes + 1, PAGE - 1);
}

/* The end of a request, as the model has it. */
static void model_end(struct request *r, int status)
{
	r->queued = false;
	r->done = true;
	r->status = status;
}

/* A writer is told. A reader's own done() is pageio_read's. */
static void write_done(struct pageio *io)
{
	struct request *r = io->arg;

	CHECK(!this_cpu()->locks_held);
	CHECK(!r->done); /* once */
	r->done = true;
	r->status = io->status;
}

/* What must be so between any two steps. */
static void check_all(void)
{
	CHECK(!this_cpu()->locks_held);
	CHECK(pager_takes_writes(pager) == (model.answerers && !model.late));
	CHECK(model.notified == model.cookie);
	for (unsigned i = 0; i < nrequests; i++) {
		struct request *r = &requests[i];

		CHECK(r->queued != r->done);
		if (r->page)
			CHECK(painted(frame_kva(r->page), r->fill));
		if (r->queued)
			CHECK(r->asked->cookie == r->cookie &&
			      r->asked->taken == r->taken);
	}
}

/* ---- those who ask ------------------------------------------------------- */

static struct request *make_request(bool write)
{
	struct request *r = &requests[nrequests++];

	*r = (struct request){ .write = write, .fill = nrequests };
	r->page = frame_alloc(0);
	r->page->state = write ? FRAME_LAUNDRY : FRAME_INBOUND;
	paint(frame_kva(r->page), r->fill);
	r->io = (struct pageio){ .frame = r->page, .pager = pager,
				 .page = nrequests, .write = write,
				 .done = write_done, .arg = r };
	r->asked = &r->io;
	r->queued = model.answerers > 0;
	r->cookie = r->queued ? ++model.cookie : 0;
	return r;
}

/* Its frame is its maker's again. */
static void drop_page(struct request *r)
{
	frame_free(r->page);
	r->page = NULL;
}

static void step_write(void)
{
	struct request *r;

	if (nrequests == REQUESTS)
		return;
	r = make_request(true);
	pageio_submit(&r->io);
	CHECK(r->io.due_ns == now + model.deadline);
	if (!r->cookie)
		CHECK(r->done && r->status == -WEIR_EIO);
}

/* Sleeps until it is answered, late or killed; meanwhile there are steps. */
static void step_read(void)
{
	struct request *r;
	int status;

	if (nrequests == REQUESTS || model.readers == READERS)
		return;
	model.readers++;
	r = make_request(false);
	if (!r->queued)
		model_end(r, -WEIR_EIO);
	status = pageio_read(&r->io, 1);
	model.readers--;
	if (r->queued) /* taken back: late, or the reader was killed */
		model_end(r, -WEIR_EIO);
	CHECK(status == r->status);
	check_all();
	drop_page(r);
}

/* As klaunderd, which may be just too late. */
static void step_cancel(struct request *r)
{
	bool late = now >= r->io.due_ns;

	if (!r->write)
		return;
	CHECK(pager_cancel(&r->io) == r->queued);
	if (!r->queued)
		return;
	model.late |= late;
	model_end(r, -WEIR_EIO);
}

/* ---- the program that answers -------------------------------------------- */

static struct request *model_next(bool write)
{
	for (unsigned i = 0; i < nrequests; i++)
		if (requests[i].queued && !requests[i].taken &&
		    requests[i].write == write)
			return &requests[i];
	return NULL;
}

static void step_next(void)
{
	struct request *r = model_next(false);
	struct weir_pager_request got = { .kind = 99 };
	uint8_t *bounce = pager_bounce_take(pager);

	paint(bounce, 0xee);
	if (!r)
		r = model_next(true);
	CHECK(pager_next(pager, &got, bounce) == (r ? 0 : -WEIR_EBUSY));
	if (r) {
		CHECK(got.cookie == r->cookie && got.page == r->io.page);
		CHECK(got.kind == (r->write ? WEIR_PAGER_WRITE :
					      WEIR_PAGER_READ));
		r->taken = true;
	} else {
		CHECK(got.kind == 99);
	}
	CHECK(painted(bounce, r && r->write ? r->fill : 0xee));
	pager_bounce_drop(pager);
}

/* With r's cookie, or, if `wrong`, one that nobody has any more, or yet. */
static void step_done(struct request *r, bool wrong, bool zeros, int status)
{
	uint64_t cookie = wrong ? model.cookie + 1 : r->cookie;
	bool fits = !wrong && r->queued && r->taken;
	uint8_t *bounce = pager_bounce_take(pager);

	paint(bounce, 0xdd);
	if (fits && r->write)
		model.late |= status != 0;
	if (fits && !r->write && !status)
		r->fill = zeros ? 0 : 0xdd;
	if (fits && !r->write)
		model_end(r, status ? -WEIR_EIO : 0);
	CHECK(pager_done(pager, cookie, zeros ? NULL : bounce, status) ==
	      (fits ? 0 : -WEIR_EINVAL));
	if (fits && r->write) {
		CHECK(r->done && r->status == (status ? -WEIR_EIO : 0));
		r->queued = false;
	}
	pager_bounce_drop(pager);
}

static void step_untake(struct request *r)
{
	pager_untake(pager, r->cookie);
	r->taken &= !r->queued;
}

/* The last one's end fails all that is left. */
static void step_put(void)
{
	bool last = --model.answerers == 0;

	for (unsigned i = 0; last && i < nrequests; i++) {
		struct request *r = &requests[i];

		if (r->queued && !r->write)
			model_end(r, -WEIR_EIO);
	}
	pager_put(pager);
	for (unsigned i = 0; last && i < nrequests; i++) {
		CHECK(requests[i].done);
		CHECK(!requests[i].queued || requests[i].status == -WEIR_EIO);
		requests[i].queued = false;
	}
}

/* ---- the steps ----------------------------------------------------------- */

static const uint8_t *input, *input_end;

static void step(uint8_t what)
{
	struct request *r = nrequests ?
		&requests[(nrequests - 1 - (what >> 4) % 8) % nrequests] :
		NULL;
	unsigned variant = what >> 7;

	switch (what % 16) {
	case 0: step_write(); break;
	case 1: step_read(); break;
	case 2: step_next(); break;
	case 3: now += model.deadline / 2; break;
	case 4: now += model.deadline; break;
	case 5:
		if (model.answerers && what == 0x55) {
			model.answerers++;
			pager_get(pager);
		}
		break;
	case 6:
		if (model.answerers && what == 0x66)
			step_put();
		break;
	case 7:
		if (r)
			step_cancel(r);
		break;
	case 8:
		if (r)
			step_untake(r);
		break;
	default:
		if (r && model.answerers)
			step_done(r, what % 16 == 9, variant,
				  what % 2 ? 0 : -(int)(what >> 4));
	}
	check_all();
}

bool waitq_wait(struct waitq *wq, struct spinlock *l, uint64_t deadline_ns)
{
	spin_unlock(l);
	if (input == input_end) {
		now = deadline_ns;
		return true;
	}
	if (*input == 0xff) { /* the reader is killed */
		input++;
		return false;
	}
	step(*input++);
	return true;
}

static void finish(void)
{
	for (unsigned i = 0; i < nrequests; i++)
		step_cancel(&requests[i]);
	for (unsigned i = 0; i < nrequests; i++) {
		CHECK(requests[i].done && !requests[i].queued);
		if (requests[i].page)
			drop_page(&requests[i]);
	}
	while (model.answerers) {
		CHECK(!model.released);
		step_put();
	}
	pager_forget(pager);
	CHECK(model.released == 1 && !pages_out && !pieces_out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const struct pager_client client = { notify, release, &model,
					     1 << BIT };
	struct memobj *obj;

	if (size == 0)
		return 0;
	input = bytes + 1;
	input_end = bytes + size;
	nrequests = pages_taken = 0;
	__asan_poison_memory_region(descriptors, sizeof(descriptors));
	__asan_poison_memory_region(shim_ram, frames_end * PAGE);
	memset(&model, 0, sizeof(model));
	model.answerers = 1;
	model.deadline = *bytes ? *bytes * 1000000ull : PAGER_DEADLINE_MAX_NS;
	pager = pager_create(1, client, *bytes * 1000000ull, NULL, &obj);
	CHECK(pager);
	while (input < input_end)
		step(*input++);
	finish();
	return 0;
}
