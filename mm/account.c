/*
 * account.c - quotas, charged up to the root.
 */
#include "mm/account.h"

#include "mm/kmalloc.h"
#include "mm/planted.h"

struct account *account_create(struct account *parent,
			       const uint64_t limit[ACCOUNT_NKINDS])
{
	struct account *a = kzalloc(sizeof(*a));

	if (!a)
		return NULL;
	a->refs = 1;
	a->parent = account_get(parent);
	for (unsigned i = 0; i < ACCOUNT_NKINDS; i++)
		a->limit[i] = limit[i] ? limit[i] : UINT64_MAX;
	return a;
}

struct account *account_get(struct account *a)
{
	if (a)
		__atomic_add_fetch(&a->refs, 1, __ATOMIC_RELAXED);
	return a;
}

void account_put(struct account *a)
{
	while (a && __atomic_sub_fetch(&a->refs, 1, __ATOMIC_ACQ_REL) == 0) {
		struct account *parent = a->parent;

		for (unsigned i = 0; i < ACCOUNT_NKINDS; i++)
			assert(a->used[i] == 0);
		kfree(a);
		a = parent;
	}
}

/* Never passes the limit, not for a moment: others would fail by that. */
static bool charge_one(uint64_t *used, uint64_t n, uint64_t limit)
{
	uint64_t was = __atomic_load_n(used, __ATOMIC_RELAXED);

	while (n <= limit - was)
		if (__atomic_compare_exchange_n(used, &was, was + n, false,
						__ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

bool account_charge(struct account *a, enum account_kind kind, uint64_t n)
{
	struct account *full = a;

	while (full && charge_one(&full->used[kind], n, full->limit[kind]))
		full = PLANTED(W7) ? NULL : full->parent;
	for (; full && a != full; a = a->parent)
		__atomic_sub_fetch(&a->used[kind], n, __ATOMIC_RELAXED);
	return !full;
}

void account_uncharge(struct account *a, enum account_kind kind, uint64_t n)
{
	for (; a; a = a->parent)
		__atomic_sub_fetch(&a->used[kind], n, __ATOMIC_RELAXED);
}
