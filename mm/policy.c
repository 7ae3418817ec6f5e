/*
 * policy.c - when the debt is paid: the policies side by side.
 *
 * A pass unmaps its pages in runs: of one page, or of the whole batch. After
 * each page a policy may pay at once; before the run's IO starts fence 1
 * pays if `writable`; before frames are freed fence 2 pays the rest. All
 * policies share both fences: they differ only in how much is still owed. Of
 * a lazy one fence 2 is as late as can be: when the frame is needed (limbo.c).
 */
#include "arch/x86_64/panic.h"
#include "kernel/abi/weir.h"
#include "mm/tlb.h"

const struct tlb_policy tlb_policies[WEIR_NPOLICIES] = {
	[WEIR_TLB_IMMEDIATE] = { "immediate", .at_clean = true,
				 .at_dirty = true },
	[WEIR_TLB_BATCH_CLEAN] = { "batch-clean", .at_dirty = true },
	[WEIR_TLB_BATCH_DIRTY] = { .name = "batch-dirty" },
	[WEIR_TLB_TWO_PASS] = { "two-pass", .whole_batch = true },
	[WEIR_TLB_LAZY] = { "lazy", .whole_batch = true, .clean_waits = true },
};
const struct tlb_policy *tlb_policy = &tlb_policies[WEIR_TLB_TWO_PASS];

void tlb_policy_set(unsigned policy)
{
	assert(policy < WEIR_NPOLICIES);
	__atomic_store_n(&tlb_policy, &tlb_policies[policy], __ATOMIC_RELEASE);
}
