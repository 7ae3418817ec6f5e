/*
 * limbo.pml - mm/limbo.c: under policy lazy, groups of clean frames that wait
 * for their flush. Number n is at n % GROUPS of the ring.
 */

#define GROUP(n) (2 + (n) % GROUPS) /* its batch */
#define OLDEST batch[GROUP(limbo_flushed + 1)]

/* Sleeps while somebody else has the mutex. */
inline lock_limbo(self)
{
	if
	:: d_step { !limbo_mutex -> limbo_mutex = true }
	:: d_step { limbo_mutex -> leave_cpu(self) };
	   d_step {
		!limbo_mutex && is_free(self) ->
		run_on_cpu(self);
		limbo_mutex = true
	   }
	fi
}

/* The frames that wait in group n. */
inline free_group(n)
{
	if
	:: frame[0].state == FRAME_LIMBO && frame[0].group == (n) % GROUPS ->
		frame_free(0)
	:: else
	fi;
	if
	:: frame[1].state == FRAME_LIMBO && frame[1].group == (n) % GROUPS ->
		frame_free(1)
	:: else
	fi
}

/* When nothing waits counting starts again. */
inline renumber_groups()
{
	if
	:: !limbo_waits ->
		tlb_round = 0;
		limbo_flushed = 0;
		limbo = 0;
		tlb_cpus[0].passed = 0;
		tlb_cpus[1].passed = 0
	:: else
	fi
}

/* Holds the mutex. */
inline reap(self, all)
{
	do
	:: atomic {
		limbo_waits ->
		OLDEST.cpus = tlb_behind(OLDEST.cpus, limbo_flushed + 1);
		if :: OLDEST.cpus && !(all) -> break :: else fi
	   };
	   if
	   :: OLDEST.cpus -> tlb_batch_flush(GROUP(limbo_flushed + 1), self)
	   :: else -> d_step { batch_paid(GROUP(limbo_flushed + 1)) }
	   fi;
	   d_step {
		limbo_flushed++;
		free_group(limbo_flushed);
		printf("@%d the frames of group %d are free\n",
		       self, limbo_flushed);
		renumber_groups()
	   }
	:: else -> break
	od
}

inline limbo_reap(self, all)
{
	if
	:: limbo_waits ->
		lock_limbo(self);
		reap(self, all);
		limbo_mutex = false
	:: else
	fi
}

inline limbo_open(self)
{
	lock_limbo(self);
	if
	:: tlb_round - limbo_flushed == GROUPS -> reap(self, true)
	:: else
	fi;
	atomic {
		tlb_round++;
		printf("@%d opens group %d\n", self, tlb_round)
	}
}

inline limbo_add(f)
{
	limbo = tlb_round;
	frame[f].group = tlb_round % GROUPS
}

inline limbo_close(b)
{
	d_step {
		batch[GROUP(tlb_round)].cpus = batch[b].cpus;
		batch[GROUP(tlb_round)].flush_required = true;
		batch[GROUP(tlb_round)].spaces[0] = batch[b].spaces[0];
		batch[GROUP(tlb_round)].spaces[1] = batch[b].spaces[1];
		batch[GROUP(tlb_round)].gen[0] = batch[b].gen[0];
		batch[GROUP(tlb_round)].gen[1] = batch[b].gen[1];
		batch_clear(b);
		limbo_mutex = false;
		printf("@%d group %d waits\n", self, tlb_round)
	}
}
