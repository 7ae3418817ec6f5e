/*
 * fault.pml - mm/fault.c: a page that user code wants is found, brought and
 * mapped. Two threads fault: a writer on CPU 0, and a reader on CPU 1.
 */

#define misses(c, p) (write -> !is_writable(LOADED_PTE(c, p)) : \
	!(LOADED_PTE(c, p) & PTE_P))
#define fault_find(a, p) (REGION(a, p) == REGION_RW || \
	(REGION(a, p) == REGION_RO && !write))
#define faults(c, p) (user_mode(c) && misses(c, p) && \
	fault_find(tlb_cpus[c].as, p))

/* The lowest free frame. */
inline frame_alloc(f)
{
	if
	:: frame[0].state == FRAME_FREE -> f = 0
	:: else -> f = 1
	fi;
	assert(frame[f].state == FRAME_FREE);
	require(P1, unreachable(f))
}

inline use_spare(f, p)
{
	frame[f].index = p;
	frame[f].dirty = false;
	frame[f].taken_back = false;
	entry[p] = ENTRY_FRAME(f)
}

#define reads_of(p) ((frame[0].io && frame[0].index == (p)) || \
	(frame[1].io && frame[1].index == (p)))

inline fault_read(f, p)
{
	require(FLIGHT, !reads_of(p));
	frame_alloc(f);
	use_spare(f, p);
	frame[f].state = FRAME_INBOUND;
	frame[f].io = true;
	printf("@%d fault: page %d is to be read to frame %d\n",
	       self, p, f)
}

inline arrived(f)
{
	frame[f].state = FRAME_ACTIVE;
	printf("@%d fault: page %d has come to frame %d\n", self, p, f)
}

#define may_write(f) (!limbo_owes && \
	(frame[f].state != FRAME_LAUNDRY || PLANTED(Z29)))

/* Who must sleep: outcomes B and D of fault.c. */
#define fault_waits(f) ((frame[f].state == FRAME_INBOUND && !PLANTED(Z27)) || \
	(frame[f].state == FRAME_LAUNDRY && write && !PLANTED(Z29)))

inline fault_map(a, p, f)
{
	if
	:: REGION(a, p) == REGION_DYING || REGION(a, p) == REGION_GONE
	:: else ->
		require(FLIGHT, frame[f].state != FRAME_INBOUND);
		if
		:: PTE(a, p) & PTE_P
		:: else ->
			PTE(a, p) = PTE_P | (f * PTE_FRAME);
			frame[f].mapcount++
		fi;
		if
		:: REGION(a, p) == REGION_RW && may_write(f) ->
			PTE(a, p) = PTE(a, p) | PTE_W
		:: else
		fi;
		if
		:: tlb_cpus[self].as == a -> TLB(self, p) = 0
		:: else
		fi;
		fill_all(a, p);
		if
		:: frame[f].state == FRAME_ISOLATED ||
		   frame[f].state == FRAME_LAUNDRY ->
			frame[f].taken_back = true
		:: else
		fi;
		printf("@%d fault: maps page %d, frame %d, %d{read-only|writable}\n",
		       self, p, f, is_writable(PTE(a, p)))
	fi
}

/* What comes after a hold of family->lock. */
#define MAPPED 1
#define READ 2
#define SLEEP 3
#define REAP 4

#define must_pay (write && limbo_owes) /* outcome G */
#define none_free (frame[0].state != FRAME_FREE && \
	frame[1].state != FRAME_FREE)

/* One hold of family->lock. */
inline fault_bring(a, p, f)
{
	if
	:: must_pay ->
		printf("@%d fault: an old frame may still be read\n", self);
		next = REAP
	:: !must_pay && is_frame(entry[p]) ->
		f = entry_frame(entry[p]);
		if
		:: fault_waits(f) ->
			printf("@%d fault: waits for frame %d\n", self, f);
			next = SLEEP
		:: else -> fault_map(a, p, f); next = MAPPED
		fi
	:: !must_pay && !is_frame(entry[p]) && clean_waits && none_free ->
		printf("@%d fault: no frame is free\n", self);
		next = REAP
	:: else -> fault_read(f, p); next = READ
	fi
}

proctype aspace_fault(bit self; bool write)
{
	bit a, p, f;
	byte next;

end:
	atomic {
		if
		:: faults(self, 0) -> p = 0
		:: faults(self, 1) -> p = 1
		fi;
		a = tlb_cpus[self].as;
		TLB(self, p) = 0; /* evicted, or it would not fault */
		run_on_cpu(self);
		printf("@%d faults on page %d, %d{reading|writing}\n", self, p, write)
	};
bring:
	atomic {
		d_step { fault_bring(a, p, f) };
		if
		:: next == MAPPED ->
			next = 0;
			leave_cpu(self);
			a = 0;
			p = 0;
			f = 0;
			goto end
		:: next == READ -> next = 0; leave_cpu(self); goto read
		:: next == REAP -> next = 0
		:: next == SLEEP -> next = 0; leave_cpu(self); goto sleep
		fi
	};
	limbo_reap(self, true);
again:
	goto bring; /* the lock is free for a while */
read:
	atomic {
		!frame[f].io && is_free(self) -> run_on_cpu(self);
		arrived(f);
		goto again
	};
sleep:
	atomic {
		!fault_waits(f) && is_free(self) -> run_on_cpu(self);
		f = 0;
		goto bring
	}
}
