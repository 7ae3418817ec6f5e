/*
 * tlb.c - scenes of who may still use an old translation: after protect,
 * unmap, clone and copy, with and without a pass that owes a flush.
 */
#include "user/tests/window/window.h"

static void protect(const struct pages *p, unsigned prot)
{
	CHECK(sys_mem_protect(startup->self, (uintptr_t)p->va, p->n, prot) ==
	      0);
}

/* Whether `h` can store to each page, or to none. */
static void check_stores(struct hand *h, const struct pages *p, long status)
{
	for (uint64_t i = 0; i < p->n; i++)
		CHECK(hand_call(h, store, (void *)pages_at(p, i)) == status);
}

/* What `h` has stored to it cannot once it is forbidden, nor once it is gone,
 * also where pages are flushed one by one. */
static void take_away(struct hand *h, struct pages p)
{
	check_stores(h, &p, 0);
	protect(&p, WEIR_P_READ);
	check_stores(h, &p, -WEIR_EFAULT);
	protect(&p, READ_WRITE);
	check_stores(h, &p, 0);
	pages_drop(&p);
	check_stores(h, &p, -WEIR_EFAULT);
}

void scene_protect(void)
{
	struct hand *toucher = hand_start(CPU_SECOND);

	for (uint64_t n = 1; n <= 33; n += 4)
		take_away(toucher, pages_new(n));
}

/* Wired memory, whose frames go with the object. */
void scene_wired(void)
{
	struct hand *toucher = hand_start(CPU_SECOND);

	be_system(true);
	take_away(toucher, pages_of(sys_mem_create(4, WEIR_MEM_WIRED), 4));
	be_system(false);
}

/* Reclaim has unmapped the page, and not flushed yet. */
void scene_owed(void)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *toucher = hand_start(CPU_SECOND);
	struct pages p = pages_new(1);

	hold_pass(first, toucher, store, p.va);
	protect(&p, WEIR_P_READ);
	check_stores(toucher, &p, -WEIR_EFAULT);
	end_pass(first);
	protect(&p, READ_WRITE);
	hold_pass(first, toucher, store, p.va);
	CHECK(sys_mem_unmap(startup->self, (uintptr_t)p.va, 1) == 0);
	check_stores(toucher, &p, -WEIR_EFAULT);
	end_pass(first);
	sys_handle_close(p.mem);
}

#define LEAF 512u /* pages that one page table maps */

/* An unmap lets its locks go after one page table; then a pass takes the page
 * that is below the next one. The second mapping shows when it has. */
void scene_recheck(void)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *toucher = hand_start(CPU_SECOND);
	struct hand *third = hand_start(CPU_THIRD);
	struct pages p = pages_new(3 * LEAF), again = p;
	volatile void *va = pages_at(&p, 2 * LEAF), *same;

	again = pages_of(p.mem, p.n);
	same = pages_at(&again, 2 * LEAF);
	hand_call(toucher, load, (void *)same);
	CHECK(hand_call(toucher, store, (void *)va) == 0);
	hold(WEIR_POINT_clear, third);
	hand_do(third, unmap, &p);
	await_held(WEIR_POINT_clear);
	hold_pass(first, NULL, NULL, same);
	release(WEIR_POINT_clear);
	CHECK(hand_result(third) == 0);
	CHECK(hand_call(toucher, store, (void *)va) == -WEIR_EFAULT);
	end_pass(first);
	pages_drop(&again);
}

#define NS_PER_MS 1000000ull
#define PATIENCE_NS (20 * NS_PER_MS) /* of who cannot know that he waits */
#define ROUNDS 10

static long forbid(void *arg)
{
	const struct pages *p = arg;

	return sys_mem_protect(startup->self, (uintptr_t)p->va, p->n,
			       WEIR_P_READ);
}

/* A pass has taken a PTE out, and holds the lock until its debt is recorded. So
 * a protect waits, also of what nobody has touched, unless the PTE was another
 * space's: what it would return without, the oracle knows. */
void scene_debt(void)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *third = hand_start(CPU_THIRD);
	struct pages p = pages_new(1), q = pages_new(1);

	for (unsigned i = 0; i < ROUNDS; i++) {
		reclaim_all();
		*q.va = 1;
		hold(WEIR_POINT_unmap, first);
		hand_do(first, reclaim, (void *)1);
		while (!held(WEIR_POINT_unmap) && !hand_done(first))
			__builtin_ia32_pause();
		hand_do(third, forbid, &p);
		for (uint64_t end = now_ns() + PATIENCE_NS;
		     !hand_done(third) && now_ns() < end;)
			__builtin_ia32_pause();
		release(WEIR_POINT_unmap);
		CHECK(hand_result(third) == 0);
		hand_result(first);
		protect(&p, READ_WRITE);
	}
	pages_drop(&p);
	pages_drop(&q);
}

/* A pass has flushed, and will say so; another has unmapped a page since. */
void scene_retired(void)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *toucher = hand_start(CPU_SECOND);
	struct hand *third = hand_start(CPU_THIRD);
	struct pages p = pages_new(1), q = pages_new(1);

	reclaim_all(); /* of few spaces a batch knows what to retire */
	hold_pass(first, toucher, store, p.va);
	hold(WEIR_POINT_ack, first);
	release(WEIR_POINT_flush);
	await_held(WEIR_POINT_ack);
	hold_pass(third, toucher, store, q.va);
	hold(WEIR_POINT_io, first); /* it has said so, and goes no further */
	release(WEIR_POINT_ack);
	await_held(WEIR_POINT_io);
	protect(&q, WEIR_P_READ);
	check_stores(toucher, &q, -WEIR_EFAULT);
	release(WEIR_POINT_io);
	hand_result(first);
	end_pass(third);
	pages_drop(&p);
	pages_drop(&q);
}

/* An unmap has cleared the PTE, and owes nothing yet, when reclaim writes the
 * page out and frees it. */
void scene_dying(void)
{
	struct hand *toucher = hand_start(CPU_SECOND);
	struct hand *third = hand_start(CPU_THIRD);

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct pages p = pages_new(1);

		reclaim_all(); /* what else there is */
		CHECK(hand_call(toucher, store, (void *)p.va) == 0);
		hold(WEIR_POINT_clear, third);
		hand_do(third, unmap, &p);
		await_held(WEIR_POINT_clear);
		reclaim_all();
		check_stores(toucher, &p, -WEIR_EFAULT);
		release(WEIR_POINT_clear);
		CHECK(hand_result(third) == 0);
		sys_handle_close(p.mem);
	}
}

/* The CPU that has the page has been told of a protect, or an unmap, and not
 * flushed yet: neither has returned. */
static void told(job_fn *take, struct hand *toucher, struct hand *third,
		 struct pages *p)
{
	CHECK(hand_call(toucher, store, (void *)p->va) == 0);
	hold(WEIR_POINT_handler, toucher);
	hand_do(third, take, p);
	await_held(WEIR_POINT_handler);
	for (uint64_t end = now_ns() + PATIENCE_NS;
	     !hand_done(third) && now_ns() < end;)
		__builtin_ia32_pause();
	CHECK(!hand_done(third));
	release(WEIR_POINT_handler);
	CHECK(hand_result(third) == 0);
	CHECK(hand_call(toucher, store, (void *)p->va) == -WEIR_EFAULT);
}

void scene_handler(void)
{
	struct hand *toucher = hand_start(CPU_SECOND);
	struct hand *third = hand_start(CPU_THIRD);
	struct pages p = pages_new(1);

	told(forbid, toucher, third, &p);
	protect(&p, READ_WRITE);
	told(unmap, toucher, third, &p);
	sys_handle_close(p.mem);
}

/* --- clones and copies ---------------------------------------------------- */
/* `p` was 1 when it was cloned. */
static void check_clone(struct hand *toucher, struct pages *p, long copy)
{
	struct pages c = pages_of(copy, p->n);

	hand_call(toucher, poke2, (void *)p->va);
	CHECK(*c.va == 1 && *p->va == 2);
	pages_drop(&c);
}

static long clone(void *arg)
{
	return sys_mem_clone(((const struct pages *)arg)->mem);
}

/* Who could write to the page before it was cloned cannot do so after. */
void scene_clone(void)
{
	struct hand *toucher = hand_start(CPU_SECOND);
	struct pages p = pages_new(1);

	hand_call(toucher, poke1, (void *)p.va);
	check_clone(toucher, &p, sys_mem_clone(p.mem));
	pages_drop(&p);
}

/* W is gone, and not flushed yet: what is stored through the old entry is in
 * both, and what is stored once there is a clone, in one. */
void scene_cloning(void)
{
	struct hand *toucher = hand_start(CPU_SECOND);
	struct hand *third = hand_start(CPU_THIRD);
	struct pages p = pages_new(1), c;
	uint64_t was;

	hand_call(toucher, poke1, (void *)p.va);
	hold(WEIR_POINT_clone, third);
	hand_do(third, clone, &p);
	await_held(WEIR_POINT_clone);
	hand_do(toucher, poke2, (void *)p.va);
	was = hand_ends(toucher) ? 2 : 1; /* else its TLB had lost the page */
	release(WEIR_POINT_clone);
	c = pages_of(hand_result(third), 1);
	hand_result(toucher);
	hand_call(toucher, poke3, (void *)p.va);
	CHECK(*c.va == was && *p.va == 3);
	pages_drop(&c);
	pages_drop(&p);
}

/* Nor if a pass had unmapped it, and not flushed yet. */
void scene_clone_owed(void)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *toucher = hand_start(CPU_SECOND);
	struct pages p = pages_new(1);

	hold_pass(first, toucher, poke1, p.va);
	check_clone(toucher, &p, sys_mem_clone(p.mem));
	end_pass(first);
	pages_drop(&p);
}

/* A pass has unmapped a shared page, and not flushed yet, when it is written,
 * and so copied: who reads sees the copy. */
void scene_copy_owed(void)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *toucher = hand_start(CPU_SECOND);
	struct pages p = pages_new(1);
	long copy;

	*p.va = 1;
	copy = sys_mem_clone(p.mem);
	hold_pass(first, toucher, load, p.va);
	*p.va = 2;
	CHECK(hand_call(toucher, load, (void *)p.va) == 2);
	end_pass(first);
	pages_drop(&p);
	CHECK(sys_handle_close((handle_t)copy) == 0);
}

/* The clone is not mapped, and has the page all the same. */
void scene_only(void)
{
	struct hand *toucher = hand_start(CPU_SECOND);
	struct pages p = pages_new(1);

	*p.va = 1;
	check_clone(toucher, &p, sys_mem_clone(p.mem));
	pages_drop(&p);
}
