/*
 * map.pml - mm/map.c: page 0 of space 0 is unmapped, or protected against
 * writing, and later mapped or allowed again.
 */

/* clear_region */
inline clear_region()
{
	region = REGION_DYING;
	changed = (PTE(0, 0) & PTE_P) != 0;
	if
	:: changed ->
		frame[frame_of(PTE(0, 0))].mapcount--;
		frame[frame_of(PTE(0, 0))].dirty =
			frame[frame_of(PTE(0, 0))].dirty ||
			is_dirty(PTE(0, 0));
		PTE(0, 0) = 0
	:: else
	fi;
	printf("@%d unmap: page 0 of space 0, %d{was not|was} present\n",
	       self, changed)
}

inline protect_region()
{
	region = REGION_RO;
	changed = is_writable(PTE(0, 0));
	PTE(0, 0) = PTE(0, 0) & ~PTE_W;
	printf("@%d protect: page 0 of space 0, %d{was not|was} writable\n",
	       self, changed)
}

inline drop_region()
{
	region = REGION_GONE
}

inline settle()
{
	if
	:: changed ->
		d_step {
			tlb_debt(0);
			call_gen = aspace[0].tlb_pending;
			changed = false
		};
		tlb_flush_range(self, 0)
	:: else
	fi;
	aspace_flush_pending(self)
}

proctype aspace_unmap_protect(bit self)
{
	bool changed;
	byte n = CALLS;

end:
	do
	:: atomic {
		n > 0 && is_free(self) ->
		run_on_cpu(self);
		running++;
		n--;
		if
		:: clear_region()
		:: protect_region()
		fi
	   };
	   settle();
	   d_step {
		if
		:: region == REGION_DYING ->
			drop_region();
			revoked = REVOKED_ALL
		:: else -> revoked = REVOKED_WRITE
		fi;
		printf("@%d returns: space 0 may not %d{|write|use} page 0\n",
		       self, revoked);
		require(P3, forgotten(0) && forgotten(1));
		leave_cpu(self);
		running--;
		renumber(0)
	   };
	   d_step {
		revoked = 0;
		region = REGION_RW;
		printf("@%d map: page 0 of space 0 is allowed again\n", self)
	   }
	od
}
