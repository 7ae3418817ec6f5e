/*
 * reclaim.pml - mm/reclaim.c and mm/rmap.c: a pass over what it isolated.
 *
 * An item of a pass is a frame, so its fate is kept by the frame's number.
 * What is done under family->lock is one step.
 */

/* What a CPU does between the read of a PTE and the write of 0 (Z22). */
inline store_meanwhile(p)
{
	if
	:: can_store(0, p) -> store(0, p)
	:: can_store(1, p) -> store(1, p)
	:: true
	fi
}

inline take_pte(a, p)
{
	old = PTE(a, p);
	if :: PLANTED(Z22) -> store_meanwhile(p) :: else fi;
	PTE(a, p) = 0
}

/* One space of rmap_unmap. */
inline rmap_unmap_space(b, a, p, f)
{
	if
	:: REGION(a, p) == REGION_DYING && !PLANTED(Z12) ->
		tlb_batch_inherit(b, a)
	:: else
	fi;
	if
	:: PTE(a, p) & PTE_P ->
		take_pte(a, p);
		if
		:: PLANTED(Z8) -> owed[a] = old
		:: else -> tlb_batch_add(b, a, old)
		fi;
		if :: is_dirty(old) -> pte_dirty = true :: else fi;
		old = 0;
		frame[f].mapcount--
	:: else
	fi
}

inline rmap_unmap(b, p, f)
{
	rmap_unmap_space(b, 0, p, f);
	rmap_unmap_space(b, 1, p, f);
	frame[f].dirty = frame[f].dirty || pte_dirty
}

inline pass_unmap(b, self, f)
{
	d_step {
		rmap_unmap(b, frame[f].index, f);
		if
		:: !frame[f].dirty -> fate[f] = FATE_FREE
		:: else ->
			fate[f] = FATE_WRITE
		fi;
		printf("@%d pass %d unmaps page %d, frame %d: %d{clean|dirty}\n",
		       self, b, frame[f].index, f, frame[f].dirty)
	};
	if
	:: PLANTED(Z8) ->
		d_step {
			if :: owed[0] -> tlb_batch_add(b, 0, owed[0])
			:: else fi;
			if :: owed[1] -> tlb_batch_add(b, 1, owed[1])
			:: else fi;
			owed[0] = 0;
			owed[1] = 0;
			printf("@%d pass %d records the debt\n", self, b)
		}
	:: else
	fi;
	if
	:: (pte_dirty && at_dirty) || (!pte_dirty && at_clean) ->
		pte_dirty = false;
		tlb_batch_flush(b, self)
	:: else -> pte_dirty = false
	fi;
	if
	:: PLANTED(Z4) && f == 0 ->
		d_step {
			batch_clear(b);
			printf("@%d a nested pass resets batch %d\n", self, b)
		}
	:: else
	fi
}

inline pass_launder(b, self, f)
{
	if
	:: fate[f] == FATE_WRITE ->
		d_step {
			if
			:: frame[f].taken_back -> fate[f] = FATE_KEEP
			:: else ->
				frame[f].state = FRAME_LAUNDRY;
				frame[f].dirty = false;
				printf("@%d pass %d starts IO of frame %d\n",
				       self, b, f);
				require(P2, unwritable(f))
			fi
		}
	:: else
	fi
}

#define in_flight(f) (fate[f] == FATE_WRITE && \
	frame[f].state == FRAME_LAUNDRY)

/* Sleeps if there is something to wait for. */
inline pass_wait_io(self)
{
	if
	:: d_step { in_flight(0) || in_flight(1) -> leave_cpu(self) };
	   d_step {
		!in_flight(0) && !in_flight(1) && is_free(self) ->
		run_on_cpu(self)
	   }
	:: else
	fi
}

inline frame_free(f)
{
	require(P1, unreachable(f));
	frame[f].state = FRAME_FREE;
	frame[f].holds = NOTHING;
	frame[f].fresh = false;
	frame[f].index = 0;
	frame[f].group = 0
}

#define is_wanted(f) (fate[f] == FATE_KEEP || frame[f].taken_back || \
	frame[f].dirty || frame[f].mapcount)

/* If it `waits` it is freed later, or given back after the group's flush. */
inline pass_release(b, self, f, waits)
{
	d_step {
		if
		:: fate[f] == FATE_NONE
		:: fate[f] != FATE_NONE && is_wanted(f) && !PLANTED(Z26) ->
			if
			:: waits
			:: else ->
				frame[f].state = FRAME_ACTIVE;
				frame[f].taken_back = false;
				fate[f] = FATE_NONE;
				printf("@%d pass %d gives frame %d back\n",
				       self, b, f)
			fi
		:: fate[f] != FATE_NONE && !(is_wanted(f) && !PLANTED(Z26)) ->
			entry[frame[f].index] = ENTRY_SLOT;
			frame[f].taken_back = false;
			frame[f].state = FRAME_LIMBO;
			fate[f] = FATE_NONE;
			if
			:: waits ->
				limbo_add(f);
				printf("@%d pass %d lets frame %d wait\n",
				       self, b, f)
			:: else ->
				printf("@%d pass %d frees frame %d\n",
				       self, b, f);
				frame_free(f)
			fi
		fi
	}
}

#define on_list(f) (frame[f].state == FRAME_ACTIVE)

inline isolate(b, self, f)
{
	frame[f].state = FRAME_ISOLATED;
	fate[f] = FATE_KEEP;
	printf("@%d pass %d isolates frame %d, page %d\n",
	       self, b, f, frame[f].index)
}

/* Which frames are old enough: any. */
inline pass_isolate(b, self)
{
	if
	:: d_step { on_list(0) -> isolate(b, self, 0) }
	:: d_step { on_list(1) -> isolate(b, self, 1) }
	:: d_step {
		on_list(0) && on_list(1) ->
		isolate(b, self, 0);
		isolate(b, self, 1)
	   }
	fi
}

inline unmap_item(b, self, f)
{
	if :: fate[f] -> pass_unmap(b, self, f) :: else fi
}

/* Fence 1, before the IO of the frames that are given. */
inline pass_fence_io(b, self, writes)
{
	if
	:: writes -> tlb_batch_flush_before_io(b, self)
	:: else
	fi
}

inline one_at_a_time(b, self, f)
{
	unmap_item(b, self, f);
	pass_fence_io(b, self, fate[f] == FATE_WRITE);
	pass_launder(b, self, f)
}

inline all_at_once(b, self)
{
	unmap_item(b, self, 0);
	unmap_item(b, self, 1);
	pass_fence_io(b, self, fate[0] == FATE_WRITE ||
		      fate[1] == FATE_WRITE);
	pass_launder(b, self, 0);
	pass_launder(b, self, 1)
}

inline pass_release_all(b, self, waits)
{
	pass_release(b, self, 0, waits);
	pass_release(b, self, 1, waits)
}

#define pass_may_wait(b) (clean_waits && batch[b].flush_required && \
	!batch[b].writable)
#define left (fate[0] != FATE_NONE || fate[1] != FATE_NONE)

/* Reclaimer 0 is a thread that wants a frame now, 1 is kreclaimd. */
#define kept(b) ((b) == 0)

inline reclaim_pass(b, self)
{
	if
	:: whole_batch -> all_at_once(b, self)
	:: else ->
		one_at_a_time(b, self, 0);
		one_at_a_time(b, self, 1)
	fi;
	pass_wait_io(self);
	if :: PLANTED(Z2) -> pass_release_all(b, self, false) :: else fi;
	if
	:: pass_may_wait(b) ->
		limbo_open(self);
		pass_release_all(b, self, true);
		limbo_close(b);
		limbo_reap(self, kept(b) || left)
	:: else
	fi;
	tlb_batch_flush_before_free(b, self);
	if :: !PLANTED(Z2) -> pass_release_all(b, self, false) :: else fi
}

proctype reclaimer(bit b, self)
{
	bool pte_dirty;
	byte old, fate[NFRAMES], owed[NSPACES], n = 1;

end:
	do
	:: atomic {
		n > 0 && is_free(self) && (on_list(0) || on_list(1)) ->
		run_on_cpu(self);
		running++;
		n--;
		pass_isolate(b, self)
	   };
	   reclaim_pass(b, self);
	   d_step {
		require(DEBT, !batch[b].flush_required);
		leave_cpu(self);
		running--
	   }
	:: atomic { /* fill_up; only if it would free something */
		n == 0 && !kept(b) && limbo_waits && is_free(self) &&
		!tlb_behind(OLDEST.cpus, limbo_flushed + 1) ->
		run_on_cpu(self)
	   };
	   limbo_reap(self, false);
	   d_step { leave_cpu(self) }
	od
}
