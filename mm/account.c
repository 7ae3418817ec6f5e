/*
 * account.c - quotas, charged up to the root.
 */
#include "mm/account.h"

#include "arch/x86_64/panic.h"
#include "arch/x86_64/spin.h"
#include "kernel/abi/weir.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"

static struct spinlock accounts_lock = SPINLOCK_INIT("accounts");
struct account_list accounts = LIST_HEAD_INITIALIZER(accounts);

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
	spin_lock(&accounts_lock);
	LIST_INSERT_HEAD(&accounts, a, all_link);
	spin_unlock(&accounts_lock);
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
		spin_lock(&accounts_lock);
		LIST_REMOVE(a, all_link);
		spin_unlock(&accounts_lock);
		kfree(a);
		a = parent;
	}
}

bool account_charge(struct account *a, enum account_kind kind, uint64_t n)
{
	struct account *full = a;

	for (; full; full = full->parent)
		if (__atomic_add_fetch(&full->used[kind], n,
				       __ATOMIC_RELAXED) > full->limit[kind])
			break;
	if (!full)
		return true;
	__atomic_sub_fetch(&full->used[kind], n, __ATOMIC_RELAXED);
	for (; a != full; a = a->parent)
		__atomic_sub_fetch(&a->used[kind], n, __ATOMIC_RELAXED);
	return false;
}

void account_uncharge(struct account *a, enum account_kind kind, uint64_t n)
{
	for (; a; a = a->parent)
		__atomic_sub_fetch(&a->used[kind], n, __ATOMIC_RELAXED);
}

int table_alloc(struct account *a, unsigned flags, struct frame **out)
{
	if (!account_charge(a, ACCOUNT_FRAMES, 1))
		return -WEIR_EFULL;
	*out = frame_alloc(flags);
	if (*out)
		return 0;
	account_uncharge(a, ACCOUNT_FRAMES, 1);
	return -WEIR_ENOMEM;
}

void table_free(struct frame *f, struct account *a)
{
	account_uncharge(a, ACCOUNT_FRAMES, 1);
	frame_free(f);
}
