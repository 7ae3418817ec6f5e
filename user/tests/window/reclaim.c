/*
 * reclaim.c - scenes of the bytes of a page that leaves or comes back.
 */
#include "user/tests/window/window.h"

#define WORDS (PAGE / sizeof(uint64_t))

/* A CPU stores to the page when a pass has unmapped it and begins its flush:
 * what it stores is kept. */
void scene_saved(void)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *toucher = hand_start(CPU_SECOND);
	struct pages p = pages_new(1);

	hold_pass(first, toucher, poke1, p.va);
	hand_call(toucher, poke2, (void *)p.va);
	end_pass(first);
	CHECK(*p.va == 2);
	pages_drop(&p);
}

/* A clean page is freed after its flush, not before. */
void scene_freed(void)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *toucher = hand_start(CPU_SECOND);
	struct pages p = pages_new(1);

	*p.va = 1;
	reclaim_all();
	hold_pass(first, toucher, load, p.va);
	CHECK(hand_call(toucher, load, (void *)p.va) == 1);
	end_pass(first);
	CHECK(*p.va == 1);
	pages_drop(&p);
}

static long set_policy(void *policy)
{
	return sys_sys_ctl(WEIR_CTL_POLICY, (uintptr_t)policy, 0);
}

/* A switch of the policy returns when no pass is left of the old one. */
void scene_policy(void)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *toucher = hand_start(CPU_SECOND);
	struct hand *third = hand_start(CPU_THIRD);
	struct pages p = pages_new(1);
	struct weir_system sys;

	system_read(&sys);
	hold_pass(first, toucher, poke1, p.va);
	hand_do(third, set_policy, (void *)(uintptr_t)
		((sys.policy + 1) % WEIR_NPOLICIES));
	CHECK(!hand_ends(third));
	end_pass(first);
	CHECK(hand_result(third) == 0);
	CHECK(set_policy((void *)(uintptr_t)sys.policy) == 0);
	pages_drop(&p);
}

/* A page is pinned that a pass has unmapped already: it stays. */
void scene_pin(void)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *toucher = hand_start(CPU_SECOND);
	struct pages p = pages_new(1);

	hold_pass(first, toucher, poke1, p.va);
	be_system(true);
	CHECK(sys_mem_pin(p.mem, 0, 1, 1) == 0);
	end_pass(first);
	CHECK(sys_mem_clone(p.mem) == -WEIR_EBUSY); /* it is in memory */
	CHECK(sys_mem_pin(p.mem, 0, 1, 0) == 0);
	be_system(false);
	CHECK(*p.va == 1);
	pages_drop(&p);
}

/* --- during IO ------------------------------------------------------------ */
/* So many pages a pass; the former size. */
static uint32_t set_batch(uint32_t pages)
{
	struct weir_system sys;

	system_read(&sys);
	CHECK(sys_sys_ctl(WEIR_CTL_BATCH, pages, 0) == 0);
	return sys.batch;
}

#define TRIES 400

static void swap_out(volatile void *va)
{
	for (unsigned i = 0; i < TRIES && present(va); i++)
		reclaim((void *)1);
}

/* Has passes of `h` made until the page, which `toucher` touches, is the one
 * that is held at `p`, where it is not mapped any more; others go on. */
static void hold_touched(struct hand *h, enum weir_point p,
			 struct hand *toucher, job_fn *touch,
			 volatile void *va)
{
	for (unsigned i = 0; i < TRIES; i++) {
		if (toucher)
			hand_call(toucher, touch, (void *)va);
		else
			touch((void *)va);
		hold(p, NULL);
		hand_do(h, reclaim, (void *)1);
		while (!held(p) && !hand_done(h))
			__builtin_ia32_pause();
		if (held(p) && !present(va))
			return;
		release(p);
		hand_result(h);
	}
	CHECK(!"the page is held");
}

static void hold_page(struct hand *h, enum weir_point p, volatile void *va)
{
	hold_touched(h, p, NULL, poke1, va);
}

/* The page is read before its IO has begun: its bytes are in memory. */
void scene_io(void)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *second = hand_start(CPU_SECOND);
	struct pages p = pages_new(1);
	uint32_t batch = set_batch(1);

	hold_page(first, WEIR_POINT_io, p.va);
	CHECK(hand_call(second, load, (void *)p.va) == 1);
	release(WEIR_POINT_io);
	hand_result(first);
	CHECK(*p.va == 1);
	set_batch(batch);
	pages_drop(&p);
}

/* Half of the page is written when somebody stores to it: he waits. */
void scene_torn(void)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *second = hand_start(CPU_SECOND);
	struct pages p = pages_new(1);
	uint32_t batch = set_batch(1);

	hold_page(first, WEIR_POINT_copy, p.va);
	hand_do(second, poke2, (void *)p.va);
	CHECK(!hand_ends(second));
	release(WEIR_POINT_copy);
	hand_result(second);
	hand_result(first);
	CHECK(*p.va == 2);
	set_batch(batch);
	pages_drop(&p);
}

/* Half of the page is read when a second one wants it: he waits, too. */
void scene_inbound(void)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *second = hand_start(CPU_SECOND);
	struct pages p = pages_new(1);
	volatile uint64_t *last = p.va + WORDS - 1;

	*last = 7;
	swap_out(p.va);
	hold(WEIR_POINT_copy, NULL);
	hand_do(first, load, (void *)last);
	await_held(WEIR_POINT_copy);
	hand_do(second, load, (void *)last);
	CHECK(!hand_ends(second));
	release(WEIR_POINT_copy);
	CHECK(hand_result(first) == 7 && hand_result(second) == 7);
	pages_drop(&p);
}

/* The page is read, and not mapped yet: who wants it waits, and reclaim, which
 * finds it on no list, leaves it alone. */
void scene_read(void)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *second = hand_start(CPU_SECOND);
	struct pages p = pages_new(1);

	*p.va = 7;
	swap_out(p.va);
	hold(WEIR_POINT_read, first);
	hand_do(first, load, (void *)p.va);
	await_held(WEIR_POINT_read);
	hand_do(second, load, (void *)p.va);
	CHECK(!hand_ends(second));
	reclaim((void *)1);
	release(WEIR_POINT_read);
	CHECK(hand_result(first) == 7 && hand_result(second) == 7);
	pages_drop(&p);
}

/* The page is written and flushed, and about to be freed, when somebody stores
 * to it, or pins it, or nobody has it any more. */
void scene_free(void)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *second = hand_start(CPU_SECOND);
	struct pages p = pages_new(1);
	uint32_t batch = set_batch(1);

	hold_page(first, WEIR_POINT_free, p.va);
	hand_call(second, poke2, (void *)p.va);
	release(WEIR_POINT_free);
	hand_result(first);
	CHECK(*p.va == 2);
	hold_page(first, WEIR_POINT_free, p.va);
	be_system(true);
	CHECK(sys_mem_pin(p.mem, 0, 1, 1) == 0);
	release(WEIR_POINT_free);
	hand_result(first);
	CHECK(sys_mem_clone(p.mem) == -WEIR_EBUSY); /* it is in memory */
	CHECK(sys_mem_pin(p.mem, 0, 1, 0) == 0);
	be_system(false);
	CHECK(*p.va == 1);
	hold_page(first, WEIR_POINT_free, p.va);
	pages_drop(&p);
	release(WEIR_POINT_free);
	hand_result(first);
	set_batch(batch);
}

/* --- a page that its pager keeps ------------------------------------------ */
static handle_t pager, bell;

/* Waits for a request, and answers it: what it was. */
static long answer(void *unused)
{
	static uint8_t bytes[PAGE];
	struct weir_pager_request r;

	(void)unused;
	while (sys_pager_next(pager, &r, bytes) != 0)
		sys_ntfn_wait(bell, 1, 0, NULL);
	CHECK(sys_pager_done(pager, r.cookie, NULL, 0) == 0);
	return r.kind;
}

/* It is dirty, and given to the pager when no CPU can store to it any more. */
void scene_paged(void)
{
	struct hand *toucher = hand_start(CPU_SECOND);
	struct hand *third = hand_start(CPU_THIRD);
	struct pages p;
	handle_t mem;

	bell = (handle_t)sys_ntfn_create();
	pager = (handle_t)sys_pager_create(bell, 0, 1, 0, &mem);
	p = pages_of(mem, 1);
	hand_do(third, answer, NULL);
	CHECK(hand_call(toucher, store, (void *)p.va) == 0);
	CHECK(hand_result(third) == WEIR_PAGER_READ);
	hand_do(third, answer, NULL);
	while (!hand_done(third))
		reclaim((void *)1);
	CHECK(hand_result(third) == WEIR_PAGER_WRITE);
	pages_drop(&p);
	sys_handle_close(pager);
	sys_handle_close(bell);
}

/* --- policy lazy ---------------------------------------------------------- */

/* A clean frame waits for its flush, and a CPU may read it: then nobody may
 * store to the page, which is in another frame by now, and the frame is not
 * free before that CPU has flushed. */
void scene_waits(void)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *toucher = hand_start(CPU_SECOND);
	struct hand *third = hand_start(CPU_THIRD);
	struct pages p = pages_new(1);
	uint32_t batch = set_batch(1);
	struct weir_system sys;

	system_read(&sys);
	*p.va = 1;
	swap_out(p.va);
	CHECK(set_policy((void *)WEIR_TLB_LAZY) == 0);
	hold_touched(first, WEIR_POINT_flush, toucher, load, p.va);
	CHECK(hand_call(third, load, (void *)p.va) == 1);
	hand_do(third, poke2, (void *)p.va);
	CHECK(!hand_ends(third));
	CHECK(hand_call(toucher, load, (void *)p.va) == 1);
	release(WEIR_POINT_flush);
	hand_result(first);
	hand_result(third);
	CHECK(hand_call(toucher, load, (void *)p.va) == 2);
	CHECK(set_policy((void *)(uintptr_t)sys.policy) == 0);
	set_batch(batch);
	pages_drop(&p);
}
