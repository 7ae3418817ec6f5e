/*
 * testops.c - the testing aid behind sys_ctl(WEIR_CTL_TEST).
 *
 * CLEAR takes a PTE out as reclaim does, but records no debt: nothing then
 * flushes the stale entries until the test asks for it. The frame stays in
 * its object's entry, so no byte is lost. Not for use under memory pressure:
 * reclaim would not know of the stale entries (P1 rests on the test).
 */
#include "mm/mm.h"

#include "mm/aspace.h"
#include "mm/point.h"
#include "mm/swap.h"
#include "mm/tlb.h"

/* A present one. */
static int describe(pte_t pte)
{
	return WEIR_PTE_PRESENT | (pte & PTE_W ? WEIR_PTE_WRITABLE : 0) |
	       (pte & PTE_A ? WEIR_PTE_ACCESSED : 0) |
	       (pte & PTE_D ? WEIR_PTE_DIRTY : 0);
}

/* LOOK and CLEAR. */
static int test_pte(struct aspace *as, uint64_t va, bool clear)
{
	uint64_t index;
	struct memobj *obj = aspace_object(as, va, WEIR_P_READ, &index);
	struct region *r;
	int was = 0;
	pte_t *pte;

	if (!obj)
		return -WEIR_EFAULT;
	spin_lock(&obj->family->lock);
	spin_lock(&as->lock);
	r = aspace_region(as, va);
	pte = aspace_pte(as, va);
	if (r && r->obj == obj && pte && (*pte & PTE_P)) {
		was = describe(*pte);
		if (clear)
			aspace_clear_pte(r, va, pte);
	}
	spin_unlock(&as->lock);
	spin_unlock(&obj->family->lock);
	memobj_put(obj);
	return was;
}

static int test_flush(struct aspace *as)
{
	spin_lock(&as->lock);
	tlb_debt(as);
	spin_unlock(&as->lock);
	aspace_flush_pending(as);
	return 0;
}

static int test_point(uint64_t op, enum weir_point p, int cpu)
{
	if (p >= WEIR_NPOINTS)
		return -WEIR_EINVAL;
	if (op == WEIR_TEST_HELD)
		return point_held(p);
	if (op == WEIR_TEST_HOLD)
		point_hold(p, cpu);
	else
		point_release(p);
	return 0;
}

int mm_test_op(struct aspace *as, uint64_t op, uint64_t arg)
{
	uint64_t va = arg & ~(WEIR_PAGE_SIZE - 1);

	switch (op) {
	case WEIR_TEST_CLEAR:
		return test_pte(as, va, true);
	case WEIR_TEST_LOOK:
		return test_pte(as, va, false);
	case WEIR_TEST_LEAK:
		return swap_slot_alloc(false);
	case WEIR_TEST_FLUSH:
		return test_flush(as);
	case WEIR_TEST_LOCK_ORDER: /* see lock_order.h */
		spin_lock(&as->lock);
		spin_lock(&(struct spinlock)SPINLOCK_INIT(family));
		return 0;
	case WEIR_TEST_HOLD:
	case WEIR_TEST_HELD:
	case WEIR_TEST_RELEASE:
		return test_point(op, arg % 256, (int)(arg / 256) - 1);
	}
	return -WEIR_EINVAL;
}
