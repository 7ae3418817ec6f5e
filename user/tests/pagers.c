/*
 * pagers.c - paged objects, from both sides, and pagers that misbehave.
 *
 *   pagers [--json]
 *
 * Each scene makes a pager and touches its object, in this task where that
 * must go well, in a child where the fault shall fail: then the child is
 * killed with WEIR_FAULT_IO, and nobody else. The hazards are those of a
 * pager that hangs, lies, dies, faults on its own pages, or waits for another
 * that waits for it. Exit status 1: something was not as it must be.
 */
#include <stdio.h>
#include <string.h>

#include "user/tests/store.h"

#define READ_WRITE (WEIR_P_READ | WEIR_P_WRITE)

static struct weir_system sys;

static volatile uint64_t *map(handle_t mem, uint64_t npages)
{
	long va = sys_mem_map(startup->self, mem, 0, 0, npages, READ_WRITE);

	CHECK(va > 0);
	return va > 0 ? (volatile uint64_t *)va : NULL;
}

static void reclaim(uint64_t n)
{
	sys_sys_ctl(WEIR_CTL_RECLAIM, n, 0);
}

/* ---- a pager with a store ------------------------------------------------ */

/* Clean pages are dropped without IO and asked for again; dirty ones go to
 * the pager, after the flush, and come back. */
static void test_store(void)
{
	const uint64_t npages = sys.frames_total / 2;
	struct upager p = { .read = store_read, .write = store_write,
			    .npages = npages, .nthreads = 2 };
	uint64_t out, in;
	volatile uint64_t *m;

	store = pages_map(npages, NULL);
	stored = calloc(npages, sizeof(*stored));
	CHECK(store && stored && upager_start(&p) == 0);
	m = map(p.mem, npages);
	out = counter(WEIR_C_pager_out);
	CHECK(count_wrong(m, npages, 0) == 0);
	reclaim(npages);
	in = counter(WEIR_C_pager_in);
	CHECK(in >= npages);
	CHECK(counter(WEIR_C_pager_out) == out); /* all were clean */
	CHECK(count_wrong(m, npages, 0) == 0);
	CHECK(counter(WEIR_C_pager_in) > in); /* some had gone */
	for (unsigned round = 1; round <= 3; round++) {
		for (uint64_t i = 0; i < npages; i++)
			m[i * WORDS + STORE_STEP]++;
		CHECK(reclaim_until(WEIR_C_pager_out, 64));
		CHECK(count_wrong(m, npages, round) == 0);
	}
	pages_unmap((void *)m, npages);
	upager_stop(&p);
	pages_unmap(store, npages);
	free(stored);
}

/* ---- children that touch ------------------------------------------------- */

/* Runs this program to touch page 0 of `mem`; its exit status. */
static int touch_in_child(handle_t mem)
{
	char *argv[] = { "pagers", "--touch", NULL };
	struct spawn_options options = { .extra = { mem } };
	struct child child;
	int status = -1;

	if (spawn("pagers", argv, &options, &child) < 0 ||
	    child_wait(&child, &status) < 0)
		return -1;
	return status;
}

static int touch(void)
{
	volatile uint64_t *m = map(startup->extra[0], 1);

	return m[0] == pattern(0, 0) ? 0 : 1;
}

/* ---- pagers that misbehave: by hand, no thread --------------------------- */

struct bare {
	handle_t ntfn, pager, mem;
};

static struct bare bare_pager(uint64_t npages)
{
	struct bare b = { .ntfn = (handle_t)sys_ntfn_create() };
	long h = sys_pager_create(b.ntfn, 5, npages, SHORT_NS, &b.mem);

	CHECK(h > 0 && b.mem);
	b.pager = (handle_t)h;
	return b;
}

static void bare_close(struct bare *b)
{
	sys_handle_close(b->mem);
	if (b->pager)
		sys_handle_close(b->pager);
	sys_handle_close(b->ntfn);
}

/* It never answers: the deadline ends the fault, and only the child. */
static void test_hang(void)
{
	struct bare b = bare_pager(4);
	uint64_t start = now_ns();

	CHECK(touch_in_child(b.mem) == STATUS_FAULT);
	CHECK(now_ns() - start >= SHORT_NS);
	bare_close(&b);
}

static void answer_late(void *arg)
{
	struct bare *b = arg;
	struct weir_pager_request r = { 0 };
	static uint8_t bytes[PAGE] __attribute__((aligned(4096)));
	uint64_t bits = 0;

	CHECK(sys_ntfn_wait(b->ntfn, 1 << 5, 0, &bits) == 0 && bits == 1 << 5);
	CHECK(sys_pager_next(b->pager, (void *)16, bytes) == -WEIR_EFAULT);
	CHECK(sys_pager_next(b->pager, &r, bytes) == 0);
	CHECK(r.kind == WEIR_PAGER_READ && r.page == 0 && r.cookie);
	CHECK(sys_pager_next(b->pager, &r, bytes) == -WEIR_EBUSY);
	CHECK(sys_pager_done(b->pager, r.cookie + 1, NULL, 0) ==
	      -WEIR_EINVAL);
	CHECK(sys_pager_done(b->pager, r.cookie, (void *)16, 0) ==
	      -WEIR_EFAULT);
	for (uint64_t i = 0; i < WORDS; i++)
		((uint64_t *)bytes)[i] = pattern(0, i);
	CHECK(sys_pager_done(b->pager, r.cookie, bytes, 0) == 0);
	CHECK(sys_pager_done(b->pager, r.cookie, bytes, 0) == -WEIR_EINVAL);
}

/* Wrong cookies, wrong pointers, answers given twice: errors for the pager,
 * and the right page for the child. */
static void test_lies(void)
{
	struct bare b = bare_pager(4);
	struct weir_pager_request r;
	struct uthread *t;

	CHECK(sys_pager_next(b.pager, &r, NULL) == -WEIR_EBUSY);
	CHECK(sys_pager_done(b.pager, 1, NULL, 0) == -WEIR_EINVAL);
	CHECK(sys_pager_done(b.mem, 1, NULL, 0) == -WEIR_EHANDLE);
	CHECK(sys_pager_create(b.ntfn, 64, 1, 0, &r.reserved) ==
	      -WEIR_EINVAL);
	CHECK(sys_pager_create(b.ntfn, 0, 0, 0, &r.reserved) == -WEIR_EINVAL);
	CHECK(sys_pager_create(b.mem, 0, 1, 0, &r.reserved) == -WEIR_EHANDLE);
	t = uthread_start(answer_late, &b, -1);
	CHECK(touch_in_child(b.mem) == 0);
	uthread_join(t);
	bare_close(&b);
}

/* It says that it cannot supply the page. */
static void refuse(void *arg)
{
	struct bare *b = arg;
	struct weir_pager_request r;

	sys_ntfn_wait(b->ntfn, 1 << 5, 0, NULL);
	CHECK(sys_pager_next(b->pager, &r, NULL) == 0);
	CHECK(sys_pager_done(b->pager, r.cookie, NULL, -7) == 0);
}

static void test_refusal(void)
{
	struct bare b = bare_pager(4);
	struct uthread *t = uthread_start(refuse, &b, -1);

	CHECK(touch_in_child(b.mem) == STATUS_FAULT);
	uthread_join(t);
	bare_close(&b);
}

/* It dies with a request in hand, and after it. */
static void die(void *arg)
{
	struct bare *b = arg;
	struct weir_pager_request r;

	sys_ntfn_wait(b->ntfn, 1 << 5, 0, NULL);
	CHECK(sys_pager_next(b->pager, &r, NULL) == 0);
	sys_handle_close(b->pager);
	b->pager = 0;
}

static void test_death(void)
{
	struct bare b = bare_pager(4);
	struct uthread *t = uthread_start(die, &b, -1);
	uint64_t start;

	CHECK(touch_in_child(b.mem) == STATUS_FAULT);
	uthread_join(t);
	start = now_ns();
	CHECK(touch_in_child(b.mem) == STATUS_FAULT);
	CHECK(now_ns() - start < 10 * SHORT_NS); /* nobody was waited for */
	bare_close(&b);
}

/* ---- dirty pages whose pager fails them ---------------------------------- */

/* Whatever it does, a dirty page that it was to keep is not lost: it stays
 * in memory, then goes to swap, and comes back from there. */
static void test_dirty(enum failing how)
{
	const uint64_t npages = 64;
	struct upager p = { .read = plain_read,
			    .write = how == HANGS ? hang_write : refuse_write,
			    .npages = npages, .deadline_ns = SHORT_NS };
	volatile uint64_t *m;

	CHECK(upager_start(&p) == 0);
	m = map(p.mem, npages);
	for (uint64_t i = 0; i < npages; i++)
		m[i * WORDS + STORE_STEP]++;
	if (how == DIES)
		upager_stop(&p);
	else
		CHECK(reclaim_until(WEIR_C_pager_out, 1));
	CHECK(reclaim_until(WEIR_C_pswpout, npages));
	CHECK(count_wrong(m, npages, 1) == 0);
	pages_unmap((void *)m, npages);
	if (how != DIES)
		upager_stop(&p);
}

/* ---- a pager that needs reclaim while that is drained -------------------- */

static bool drain_begun; /* of a write that is in hand, atomic */
static handle_t drain_seen; /* bit 0: that write is over */

static void drain(void *arg)
{
	(void)arg;
	sys_sys_ctl(WEIR_CTL_POLICY, sys.policy, 0);
}

/* The pass that brought this page is waited for, and waits for us. */
static long reclaim_write(void *arg, uint64_t page, const void *bytes)
{
	uint64_t start = now_ns();
	struct uthread *t;

	(void)page, (void)bytes;
	if (__atomic_exchange_n(&drain_begun, true, __ATOMIC_RELAXED))
		return 0;
	t = uthread_start(drain, NULL, -1);
	sleep_ns(50000000); /* if it is slower, there is nothing to see */
	reclaim(1);
	CHECK(now_ns() - start < 5000000000ull); /* the deadline is 10 s */
	*(struct uthread **)arg = t;
	sys_ntfn_signal(drain_seen, 1);
	return 0;
}

static void test_drain(void)
{
	struct uthread *t = NULL;
	struct upager p = { .read = plain_read, .write = reclaim_write,
			    .arg = &t, .npages = 64 };
	volatile uint64_t *m;

	drain_seen = (handle_t)sys_ntfn_create();
	CHECK(upager_start(&p) == 0);
	m = map(p.mem, p.npages);
	for (uint64_t i = 0; i < p.npages; i++)
		m[i * WORDS + STORE_STEP]++;
	CHECK(reclaim_until(WEIR_C_pager_out, p.npages));
	CHECK(sys_ntfn_wait(drain_seen, 1, now_ns() + 30000000000ull, NULL) ==
	      0);
	sys_handle_close(drain_seen);
	pages_unmap((void *)m, p.npages);
	upager_stop(&p);
	CHECK(t != NULL);
	if (t)
		uthread_join(t);
}

/* ---- pagers that wait for themselves ------------------------------------- */

static volatile uint64_t *other_object[2];

static long read_other(void *arg, uint64_t page, void *bytes)
{
	(void)page;
	*(uint64_t *)bytes = other_object[(uintptr_t)arg][0];
	return 0;
}

/* Two in a circle, or one with itself; in a child, since it is killed. */
static int circle(bool two)
{
	struct upager p[2];

	for (uintptr_t i = 0; i < 2; i++) {
		p[i] = (struct upager){ .read = read_other,
					.write = refuse_write,
					.arg = (void *)i, .npages = 1,
					.deadline_ns = SHORT_NS };
		if (upager_start(&p[i]) < 0)
			return 1;
	}
	for (unsigned i = 0; i < 2; i++)
		other_object[i] = map(p[two ? !i : i].mem, 1);
	return other_object[0][0] != 0;
}

static void test_circle(char *how)
{
	char *argv[] = { "pagers", how, NULL };
	struct child child;
	int status = -1;

	CHECK(spawn("pagers", argv, NULL, &child) == 0);
	CHECK(child_wait(&child, &status) == 0);
	CHECK(status == STATUS_FAULT);
}

int main(int argc, char **argv)
{
	system_read(&sys);
	if (argc > 1 && strcmp(argv[1], "--touch") == 0)
		return touch();
	if (argc > 1 && strcmp(argv[1], "--self") == 0)
		return circle(false);
	if (argc > 1 && strcmp(argv[1], "--circle") == 0)
		return circle(true);
	test_store();
	test_hang();
	test_lies();
	test_refusal();
	test_death();
	test_dirty(REFUSES);
	test_dirty(HANGS);
	test_dirty(DIES);
	test_drain();
	test_circle("--self");
	test_circle("--circle");
	printf("pagers: %u checks, %u failed\n", checks, failures);
	return failures ? 1 : 0;
}
