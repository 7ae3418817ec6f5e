/*
 * inject.c - which points fail, and when.
 *
 * Whether the n-th time at a point is a fault depends on seed=, on the point
 * and on n alone. No locks: a point is set while others pass it.
 */
#include "mm/inject.h"

#include "kernel/param.h"
#include "kernel/stat.h"
#include "kernel/thread.h"
#include "mm/aspace.h"

#define ODD 0x9e3779b97f4a7c15ull /* 2^64 by the golden ratio */

extern struct inject __start_inject[], __stop_inject[]; /* the linker's */
#define NPOINTS (uint64_t)(__stop_inject - __start_inject)

uint64_t inject_hit(struct inject *p)
{
	uint64_t one_in = __atomic_load_n(&p->one_in, __ATOMIC_RELAXED);
	uint64_t r = __atomic_fetch_add(&p->met, 1, __ATOMIC_RELAXED);

	r = (r + params.seed + (p - __start_inject) * ODD) * ODD;
	r = (r ^ r >> 32) * ODD;
	r ^= r >> 29;
	if (!one_in || r % one_in ||
	    __atomic_fetch_sub(&p->left, 1, __ATOMIC_RELAXED) <= 0)
		return 0;
	__atomic_fetch_add(&p->done, 1, __ATOMIC_RELAXED);
	stat_add(WEIR_C_faults_injected, 1);
	return r / one_in | 1;
}

bool inject_task(struct inject *p, unsigned flags)
{
	struct aspace *as = current()->as;
	bool spared = p->only ? !as || as->id != p->only :
		      !as || as->system || flags & FRAME_RESERVE;

	return !spared && inject_hit(p);
}

int inject_set(uint64_t i, uint64_t rate)
{
	struct inject *p = &__start_inject[i];

	if (i >= NPOINTS)
		return -WEIR_EINVAL;
	p->only = rate & WEIR_FAULT_OWN ? current()->as->id : 0;
	p->met = 0;
	p->left = rate << 1 >> 33 ?: INT64_MAX;
	__atomic_store_n(&p->one_in, (uint32_t)rate, __ATOMIC_RELEASE);
	return 0;
}

bool inject_describe(uint64_t i, struct weir_fault_point *out)
{
	const struct inject *p = &__start_inject[i];

	if (i >= NPOINTS)
		return false;
	*out = (struct weir_fault_point){ "", p->one_in, p->done };
	ksnprintf(out->name, sizeof(out->name), "%s.%s", p->kind, p->function);
	return true;
}
