/*
 * tlb_up.c - the TLB debt where there is one CPU (`make UP=1`): none.
 *
 * Instead of mm/tlb.c, behind the same tlb.h. No other CPU can hold an entry,
 * so an unmapped page costs one INVLPG of our own at once, which is cheaper
 * than to remember it: nothing is ever owed, and the fences have nothing to
 * pay (the seed, Linux d950c9477d51, compiles to nothing there, too). Data:
 * whose tables CR3 has. The kernel is not preempted between a PTE's change
 * and its flush.
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/panic.h"
#include "kernel/abi/weir.h"
#include "kernel/stat.h"
#include "mm/aspace.h"
#include "mm/planted.h"
#include "mm/tlb.h"

_Static_assert(MAX_CPUS == 1, "mm/tlb.c is for more");

static struct aspace *loaded; /* NULL: the kernel's own tables */

static void flush_page(struct aspace *as, uint64_t va)
{
	if (as != loaded || PLANTED(Z35))
		return; /* any CR3 load empties the TLB */
	tlb_invlpg(va);
	stat_add(WEIR_C_nr_tlb_local_flush_one, 1);
}

static void flush_space(struct aspace *as)
{
	if (as != loaded || PLANTED(Z35))
		return;
	tlb_flush_user();
	stat_add(WEIR_C_nr_tlb_local_flush_all, 1);
}

void tlb_batch_add(struct tlb_batch *b, struct aspace *as, uint64_t va,
		   pte_t old)
{
	(void)b, (void)old;
	assert(spin_held(&as->lock));
	flush_page(as, va);
}

void tlb_batch_inherit(struct tlb_batch *b, struct aspace *as)
{
	(void)b;
	assert(spin_held(&as->lock));
	flush_space(as);
}

void tlb_batch_flush(struct tlb_batch *b)
{
	assert(!b->flush_required);
}

void tlb_batch_flush_before_io(struct tlb_batch *b)
{
	assert(!b->writable);
}

void tlb_batch_flush_before_free(struct tlb_batch *b)
{
	assert(!b->flush_required);
}

uint64_t tlb_debt(struct aspace *as)
{
	assert(spin_held(&as->lock));
	return ++as->tlb_pending;
}

void tlb_flush_range(struct aspace *as, uint64_t va, uint64_t npages,
		     uint64_t gen)
{
	if (npages > TLB_RANGE_MAX)
		flush_space(as);
	else
		for (uint64_t i = 0; i < npages; i++)
			flush_page(as, va + i * WEIR_PAGE_SIZE);
	as->tlb_flushed = gen;
}

void aspace_flush_pending(struct aspace *as)
{
	if (as->tlb_flushed == as->tlb_pending)
		return;
	flush_space(as);
	as->tlb_flushed = as->tlb_pending;
}

void tlb_leave_tables(struct aspace *as)
{
	if (as != loaded)
		return;
	loaded = NULL;
	write_cr3(kernel_pml4_pa);
}

void tlb_switch_to(struct aspace *as)
{
	assert(!irq_enabled());
	if (!as || as == loaded)
		return; /* a kernel thread borrows the tables */
	loaded = as;
	write_cr3(as->pml4_pa);
}

void tlb_catch_up(void)
{
}

void tlb_init(void)
{
}
