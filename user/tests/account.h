/*
 * account.h - what tests do before they count frames: P4 wants exact counts.
 */
#pragma once

#include "user/lib/weir_user.h"

#define ACCOUNT_STACKS_MAX 96
#define ACCOUNT_SETTLED 4  /* equal counts in a row */
#define ACCOUNT_TRIES 1000 /* of these until the counts are given up */

/* Waits for its turn, and gives it to the next. */
static inline void account_hand_on(void *arg)
{
	sys_ntfn_wait((handle_t)(uintptr_t)arg, 1, 0, NULL);
	sys_ntfn_signal((handle_t)(uintptr_t)arg, 1);
}

/* The kernel keeps the stack of a thread that ended for the next one, so the
 * most threads at a time decide how many frames are stacks: `count` threads,
 * more than the test will have, at most ACCOUNT_STACKS_MAX, are there once.
 * False: they cannot be. */
static inline bool account_prime_stacks(unsigned count)
{
	struct uthread *t[ACCOUNT_STACKS_MAX];
	handle_t n = (handle_t)sys_ntfn_create();
	bool ok = true;

	for (unsigned i = 0; i < count; i++)
		t[i] = uthread_start(account_hand_on, (void *)(uintptr_t)n, -1);
	sys_ntfn_signal(n, 1);
	for (unsigned i = 0; i < count; i++)
		if (t[i])
			uthread_join(t[i]);
		else
			ok = false;
	sys_handle_close(n);
	return ok;
}

/* Has all memory reclaimed, and waits for the passes of others that are under
 * way: a frame that a pass has is on no list, and not free. Setting the policy
 * waits for them. `sys` is read afterwards. */
static inline void account_reclaim(struct weir_system *sys)
{
	system_read(sys);
	sys_sys_ctl(WEIR_CTL_RECLAIM, sys->frames_anon + 64, 0);
	sys_sys_ctl(WEIR_CTL_POLICY, sys->policy, 0);
	system_read(sys);
}

/* How many more handles this task can have. */
static inline uint64_t account_handles(void)
{
	static handle_t h[1100];
	handle_t ntfn = (handle_t)sys_ntfn_create();
	uint64_t n = 0;
	long got;

	while (n < 1100 && (got = sys_handle_dup(ntfn, WEIR_R_ALL, 0)) > 0)
		h[n++] = (handle_t)got;
	for (uint64_t i = 0; i < n; i++)
		sys_handle_close(h[i]);
	sys_handle_close(ntfn);
	return n;
}

/* Of all: frames that are free or on reclaim's lists, slots in use. */
struct account_sum {
	uint64_t frames, slots;
};

/* Has all memory reclaimed until the counts stay the same: what died a
 * moment ago may be on its way still. */
static inline bool account_settle(struct account_sum *out)
{
	struct account_sum last = { 0 }, now;
	struct weir_system sys;
	unsigned same = 0;

	for (unsigned i = 0; i < ACCOUNT_TRIES && same < ACCOUNT_SETTLED; i++) {
		account_reclaim(&sys);
		now = (struct account_sum){ sys.frames_free + sys.frames_anon,
					sys.swap_total - sys.swap_free };
		same = now.frames == last.frames && now.slots == last.slots
			       ? same + 1 : 0;
		last = now;
		uthread_yield();
	}
	*out = last;
	return same == ACCOUNT_SETTLED;
}
