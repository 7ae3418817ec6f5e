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

/* LOOK and CLEAR. */
static int test_pte(struct aspace *as, uint64_t va, bool clear)
{
	uint64_t index;
	struct memobj *obj = aspace_object(as, va, WEIR_P_READ, &index);
	int was = 0;

	if (!obj)
		return -WEIR_EFAULT;
	mapping_lock(obj, as);
	struct region *r = aspace_region(as, va);
	pte_t *pte = aspace_pte(as, va);
	if (r && r->obj == obj && pte && (*pte & PTE_P)) {
		was = *pte & (PTE_P | PTE_W | PTE_A | PTE_D);
		if (clear)
			aspace_clear_pte(r, va, pte);
	}
	mapping_unlock(obj, as);
	memobj_put(obj);
	return was;
}

int mm_test_op(struct aspace *as, uint64_t op, uint64_t arg)
{
	enum weir_point point = arg % 256;

	if (op == WEIR_TEST_CLEAR || op == WEIR_TEST_LOOK)
		return test_pte(as, arg & ~(WEIR_PAGE_SIZE - 1),
				op == WEIR_TEST_CLEAR);
	if (op == WEIR_TEST_LEAK)
		return swap_slot_alloc(false);
	if (op == WEIR_TEST_PANIC)
		panic(WEIR_TEST_SENTENCE);
	if (op == WEIR_TEST_HELD && point < WEIR_NPOINTS)
		return point_held(point);
	if (op == WEIR_TEST_HOLD && point < WEIR_NPOINTS) {
		point_hold(point, (int)(arg / 256) - 1);
	} else if (op == WEIR_TEST_RELEASE && point < WEIR_NPOINTS) {
		point_release(point);
	} else if (op == WEIR_TEST_FLUSH) {
		spin_lock(&as->lock);
		tlb_debt(as);
		spin_unlock(&as->lock);
		aspace_flush_pending(as);
	} else if (op == WEIR_TEST_SYSTEM) {
		as->system = arg;
	} else if (op == WEIR_TEST_LOCK_ORDER) { /* see lock_order.h */
		spin_lock(&as->lock);
		spin_lock(&(struct spinlock)SPINLOCK_INIT(family));
	} else {
		return -WEIR_EINVAL;
	}
	return 0;
}
