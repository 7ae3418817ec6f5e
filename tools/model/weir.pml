/*
 * weir.pml - the protocol by which Weir takes pages away, for spin.
 *
 * Two reclaimers, a faulting writer, a swap-in, an unmap or protect, a CPU
 * that switches, the device and the CPUs' interrupts, on 2 CPUs with a TLB
 * each, 2 pages and 2 address spaces. README.md says what is left out, and
 * why that loses nothing. POLICY=0..4, MUTANT=name: see types.pml.
 */
#include "types.pml"
#include "hardware.pml"
#include "tlb.pml"
#include "limbo.pml"
#include "reclaim.pml"
#include "fault.pml"
#include "map.pml"

/* Each page is in its slot; the first PAGES_IN are in a frame, too, and mapped
 * in both spaces. CPU n runs space n. */
inline begin(n)
{
	if
	:: n < PAGES_IN ->
		entry[n] = ENTRY_FRAME(n);
		frame[n].state = FRAME_ACTIVE;
		frame[n].index = n;
		frame[n].holds = n;
		frame[n].fresh = true;
		frame[n].mapcount = NSPACES;
		PTE(0, n) = PTE_P | PTE_W | (n * PTE_FRAME);
		PTE(1, n) = PTE_P | PTE_W | (n * PTE_FRAME)
	:: else -> frame[n].holds = NOTHING
	fi;
	tlb_cpus[n].as = n;
	aspace[n].cpus = cpu_bit(n);
	slot_fresh[n] = true
}

init {
	atomic {
		begin(0);
		begin(1);
		tlb_flush_user(0);
		tlb_flush_user(1);
		run tlb_interrupt(0);
		run tlb_interrupt(1);
		if :: RECLAIMERS > 1 -> run reclaimer(0, 0) :: else fi;
		run reclaimer(1, 1);
		run aspace_fault(0, true);
		run aspace_fault(1, false);
		run aspace_unmap_protect(1);
		run tlb_switch_on(0)
	}
}
