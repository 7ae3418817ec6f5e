/*
 * policy.c - when the debt is paid: the policies side by side.
 *
 * A pass unmaps its pages in runs: of one page, or of the whole batch. After
 * each page a policy may pay at once; before the run's IO starts fence 1
 * pays if `writable`; before frames are freed fence 2 pays the rest. All
 * policies share both fences: they differ only in how much is still owed.
 */
#include "arch/x86_64/panic.h"
#include "kernel/abi/weir.h"
#include "mm/tlb.h"

static void flush_each(struct tlb_batch *b, bool dirty)
{
	tlb_batch_flush(b);
}

static void flush_dirty(struct tlb_batch *b, bool dirty)
{
	if (dirty)
		tlb_batch_flush(b);
}

static void flush_later(struct tlb_batch *b, bool dirty)
{
}

const struct tlb_policy tlb_policies[WEIR_NPOLICIES] = {
	[WEIR_TLB_IMMEDIATE] = { "immediate", false, flush_each },
	[WEIR_TLB_BATCH_CLEAN] = { "batch-clean", false, flush_dirty },
	[WEIR_TLB_BATCH_DIRTY] = { "batch-dirty", false, flush_later },
	[WEIR_TLB_TWO_PASS] = { "two-pass", true, flush_later },
};
const struct tlb_policy *tlb_policy = &tlb_policies[WEIR_TLB_TWO_PASS];

void tlb_policy_set(unsigned policy)
{
	assert(policy < WEIR_NPOLICIES);
	__atomic_store_n(&tlb_policy, &tlb_policies[policy], __ATOMIC_RELEASE);
}
