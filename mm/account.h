/*
 * account.h - who uses how much: quotas.
 *
 * A task made with limits of its own has an account, which it shares with
 * the tasks that it makes without; what is charged to an account is charged
 * to those above it, too, so that a group cannot have more than its head.
 * NULL is the account of those without limits. A count is exact; no locks.
 */
#pragma once


#include "mm/frame.h"

enum account_kind {
	ACCOUNT_FRAMES,  /* pages that hold something, in memory or in swap;
			  * tables for them and for mappings */
	ACCOUNT_HANDLES,
	ACCOUNT_THREADS,
	ACCOUNT_NKINDS
};

struct account {
	/* Constant. */
	struct account *parent; /* NULL: none; a reference is held */
	uint64_t limit[ACCOUNT_NKINDS];

	uint64_t refs;                 /* atomic: tasks, objects, children */
	uint64_t used[ACCOUNT_NKINDS]; /* atomic */
};

/* A limit of 0 is none. NULL: out of memory. */
struct account *account_create(struct account *parent,
			       const uint64_t limit[ACCOUNT_NKINDS]);
/* Of NULL, too. Any context, any lock but kmalloc's. With the last reference
 * all must be uncharged. */
struct account *account_get(struct account *a);
void account_put(struct account *a);

/* Charges `n`, or nothing: false when a limit would be passed. Any context. */
bool account_charge(struct account *a, enum account_kind kind, uint64_t n);
void account_uncharge(struct account *a, enum account_kind kind, uint64_t n);
