/*
 * tlb.pml - mm/tlb.c and mm/tlb_switch.h: the debt, the shootdown that pays
 * it, and what each CPU has loaded.
 */

#define LOADED(c) aspace[tlb_cpus[c].as]

/* ---- on the target ---- */

inline tlb_flush_own(c)
{
	if :: !PLANTED(Z35) -> tlb_flush_user(c) :: else fi;
	tlb_cpus[c].seen = LOADED(c).tlb_pending;
	tlb_cpus[c].passed = tlb_round
}

inline flush_own_page(c, p)
{
	if :: !PLANTED(Z35) -> tlb_invlpg(c, p) :: else fi
}

inline serve(c, r_kind, r_as, r_va, r_gen)
{
	if
	:: r_as != ANY && r_as != tlb_cpus[c].as
	:: else ->
		if
		:: r_kind == FLUSH_RANGE && PLANTED(Z33) ->
			flush_own_page(c, r_va);
			tlb_cpus[c].seen = LOADED(c).tlb_pending
		:: r_kind == FLUSH_RANGE && !PLANTED(Z33) &&
		   tlb_cpus[c].seen + 1 == r_gen ->
			flush_own_page(c, r_va);
			tlb_cpus[c].seen = r_gen
		:: (r_kind == FLUSH_ALL || (!PLANTED(Z33) &&
		    tlb_cpus[c].seen + 1 != r_gen)) &&
		   tlb_cpus[c].seen < LOADED(c).tlb_pending ->
			tlb_flush_own(c)
		:: else
		fi
	fi
}

#define REQUEST(c) tlb_cpus[c].request

/* The only other CPU may be the initiator. */
inline serve_inbox(c)
{
	serve(c, REQUEST(1 - c).kind, REQUEST(1 - c).as, REQUEST(1 - c).va,
	      REQUEST(1 - c).gen)
}

/* Before user code goes on: then no group is one that it has not passed. */
inline tlb_catch_up(c)
{
	if
	:: tlb_cpus[c].passed < tlb_round &&
	   tlb_cpus[c].seen < LOADED(c).tlb_pending && !PLANTED(L3) ->
		tlb_flush_own(c)
	:: else -> tlb_cpus[c].passed = tlb_round
	fi
}

inline acknowledge(c)
{
	REQUEST(1 - c).waiting = REQUEST(1 - c).waiting & ~cpu_bit(c)
}

/* An interrupt comes at some time; who waits for acknowledgements serves his
 * inbox, too, which is the same. */
proctype tlb_interrupt(bit c)
{
end:
	do
	:: d_step {
		tlb_cpus[c].inbox && !tlb_cpus[c].irq_off && !PLANTED(I14) ->
		tlb_cpus[c].inbox = 0;
		serve_inbox(c);
		acknowledge(c);
		printf("@%d interrupt: serve, then acknowledge\n", c)
	   }
	:: atomic {
		tlb_cpus[c].inbox && !tlb_cpus[c].irq_off && PLANTED(I14) ->
		tlb_cpus[c].inbox = 0;
		acknowledge(c);
		printf("@%d interrupt: acknowledges first\n", c)
	   };
	   d_step { serve_inbox(c); printf("@%d interrupt: serve\n", c) }
	:: d_step {
		user_mode(c) && tlb_cpus[c].passed < tlb_round ->
		tlb_catch_up(c);
		printf("@%d interrupt: passes group %d\n", c, tlb_round)
	   }
	od
}

/* ---- on the initiator ---- */

#define must_interrupt(self, targets) \
	(((targets) & cpu_bit(1 - self)) && !tlb_cpus[1 - self].lazy)

/* Ends with the request sent and our own part done; who wants to go on waits
 * until wait_for_acks. */
inline shoot(self, targets, r_kind, r_as, r_va, r_gen)
{
	d_step {
		if
		:: must_interrupt(self, targets) ->
			REQUEST(self).kind = r_kind;
			REQUEST(self).as = r_as;
			REQUEST(self).va = r_va;
			REQUEST(self).gen = r_gen;
			REQUEST(self).waiting = cpu_bit(1 - self);
			tlb_cpus[1 - self].inbox = cpu_bit(self);
			printf("@%d shoot: asks CPU %d to flush\n", self, 1 - self)
		:: else -> printf("@%d shoot: interrupts nobody\n", self)
		fi;
		if :: PLANTED(I21) -> tlb_cpus[self].irq_off = true :: else fi
	};
	d_step {
		if
		:: (targets) & cpu_bit(self) ->
			serve(self, r_kind, r_as, r_va, r_gen);
			printf("@%d shoot: serves its own part\n", self)
		:: else
		fi
	}
}

#define wait_for_acks(self) (REQUEST(self).waiting == 0)

/* The end of a round: nothing of it is left in the state. */
inline forget_request(self)
{
	REQUEST(self).kind = 0;
	REQUEST(self).as = 0;
	REQUEST(self).va = 0;
	REQUEST(self).gen = 0;
	if :: PLANTED(I21) -> tlb_cpus[self].irq_off = false :: else fi
}

inline retire(a, upto)
{
	if
	:: PLANTED(Z6) -> aspace[a].tlb_flushed = aspace[a].tlb_pending
	:: else ->
		if
		:: aspace[a].tlb_flushed < upto ->
			aspace[a].tlb_flushed = upto
		:: else
		fi
	fi
}

/* When nothing is owed and every CPU knows it, counting starts again: only
 * differences of generations mean anything. Not while somebody has one in
 * hand: a call, a CPU that switches. */
#define up_to_date(c, a) (tlb_cpus[c].as != (a) || \
	tlb_cpus[c].seen == aspace[a].tlb_pending)

inline renumber(a)
{
	if
	:: !aspace_owes(a) && up_to_date(0, a) && up_to_date(1, a) &&
	   !batch[0].spaces[a] && !batch[1].spaces[a] &&
	   !limbo_has(a) && call_gen == 0 && !tlb_cpus[0].irq_off ->
		aspace[a].tlb_pending = 0;
		aspace[a].tlb_flushed = 0;
		if :: tlb_cpus[0].as == a -> tlb_cpus[0].seen = 0 :: else fi;
		if :: tlb_cpus[1].as == a -> tlb_cpus[1].seen = 0 :: else fi
	:: else
	fi
}

#define tlb_debt(a) aspace[a].tlb_pending = aspace[a].tlb_pending + 1

/* ---- batches ---- */

inline batch_owe(b, a)
{
	tlb_debt(a);
	batch[b].cpus = batch[b].cpus | aspace[a].cpus;
	batch[b].flush_required = true;
	batch[b].spaces[a] = true;
	batch[b].gen[a] = aspace[a].tlb_pending
}

inline tlb_batch_add(b, a, old)
{
	batch_owe(b, a);
	if
	:: is_dirty(old) -> batch[b].writable = true
	:: else -> if :: PLANTED(I22) -> batch[b].writable = false :: else fi
	fi
}

inline tlb_batch_inherit(b, a)
{
	batch_owe(b, a);
	batch[b].writable = true
}

inline batch_clear(b)
{
	batch[b].cpus = 0;
	batch[b].flush_required = false;
	batch[b].writable = false;
	batch[b].spaces[0] = false;
	batch[b].spaces[1] = false;
	batch[b].gen[0] = 0;
	batch[b].gen[1] = 0
}

inline batch_paid(b)
{
	if :: batch[b].spaces[0] -> retire(0, batch[b].gen[0]) :: else fi;
	if :: batch[b].spaces[1] -> retire(1, batch[b].gen[1]) :: else fi;
	batch_clear(b);
	renumber(0);
	renumber(1)
}

inline tlb_batch_flush(b, self)
{
	if
	:: batch[b].flush_required ->
		shoot(self, batch[b].cpus, FLUSH_ALL, ANY, 0, 0);
		d_step {
			wait_for_acks(self) ->
			forget_request(self);
			batch_paid(b);
			printf("@%d acknowledged: batch %d is paid\n", self, b)
		}
	:: else
	fi
}

inline tlb_batch_flush_before_io(b, self)
{
	if
	:: batch[b].writable && !PLANTED(Z1) -> tlb_batch_flush(b, self)
	:: else
	fi
}

#define tlb_batch_flush_before_free tlb_batch_flush

#define has_passed(c, n) (tlb_cpus[c].passed >= (n) || tlb_cpus[c].lazy || \
	PLANTED(L1))
#define tlb_behind(cpus, n) ((cpus) & \
	((has_passed(0, n) -> 0 : cpu_bit(0)) | \
	 (has_passed(1, n) -> 0 : cpu_bit(1))))

/* ---- whole spaces: space 0 ---- */

inline tlb_flush_range(self, p)
{
	shoot(self, aspace[0].cpus, FLUSH_RANGE, 0, p, call_gen);
	d_step {
		wait_for_acks(self) ->
		if
		:: aspace[0].tlb_flushed == call_gen - 1 ->
			aspace[0].tlb_flushed = call_gen
		:: else
		fi;
		forget_request(self);
		call_gen = 0
	}
}

inline aspace_flush_pending(self)
{
	if
	:: d_step {
		aspace_owes(0) && !PLANTED(Z5) ->
		call_gen = aspace[0].tlb_pending
	   };
	   shoot(self, aspace[0].cpus, FLUSH_ALL, 0, 0, 0);
	   d_step {
		wait_for_acks(self) ->
		retire(0, call_gen);
		forget_request(self);
		call_gen = 0
	   }
	:: else
	fi
}

/* ---- switching ---- */

/* A thread goes on in the kernel, on its CPU, where no other does. */
inline run_on_cpu(self)
{
	tlb_cpus[self].busy = true
}

inline leave_cpu(self)
{
	if :: tlb_cpus[self].lazy :: else -> tlb_catch_up(self) fi;
	tlb_cpus[self].busy = false
}

/* Goes on with the space `a`, which is not the one that is loaded. */
inline switch_space(self, a)
{
	if
	:: PLANTED(Z30) ->
		d_step {
			aspace[1 - a].cpus = aspace[1 - a].cpus &
					     ~cpu_bit(self);
			tlb_cpus[self].as = a;
			tlb_flush_user(self);
			tlb_cpus[self].seen = aspace[a].tlb_pending;
			printf("@%d loads CR3 of space %d\n", self, a)
		};
		d_step {
			aspace[a].cpus = aspace[a].cpus | cpu_bit(self);
			printf("@%d sets its bit in space %d\n", self, a)
		}
	:: else ->
		d_step {
			aspace[a].cpus = aspace[a].cpus | cpu_bit(self);
			printf("@%d sets its bit in space %d\n", self, a)
		};
		new = aspace[a].tlb_pending;
		d_step {
			tlb_cpus[self].as = a;
			tlb_flush_user(self);
			tlb_cpus[self].seen = new;
			aspace[1 - a].cpus = aspace[1 - a].cpus &
					     ~cpu_bit(self);
			new = 0;
			printf("@%d loads CR3 of space %d\n", self, a)
		}
	fi
}

/* A CPU goes over to the other space, or idle (lazy) and back. */
proctype tlb_switch_on(bit self)
{
	bit a;
	byte n = SWITCHES, new;

end:
	do
	:: d_step {
		n > 0 && is_free(self) && !tlb_cpus[self].lazy ->
		n--;
		tlb_cpus[self].lazy = true;
		printf("@%d goes idle, lazy\n", self)
	   }
	:: d_step {
		is_free(self) && tlb_cpus[self].lazy ->
		tlb_cpus[self].busy = true;
		tlb_cpus[self].irq_off = true;
		tlb_cpus[self].behind = true;
		tlb_cpus[self].lazy = false;
		printf("@%d is not lazy any more\n", self)
	   };
	   d_step {
		if
		:: tlb_cpus[self].seen < LOADED(self).tlb_pending &&
		   !PLANTED(Z32) ->
			tlb_flush_own(self);
			printf("@%d catches up: flushes\n", self)
		:: else -> printf("@%d goes on\n", self)
		fi;
		tlb_cpus[self].behind = false;
		leave_cpu(self);
		tlb_cpus[self].irq_off = false
	   }
	:: d_step {
		n > 0 && is_free(self) && !tlb_cpus[self].lazy ->
		n--;
		tlb_cpus[self].busy = true;
		tlb_cpus[self].irq_off = true;
		a = 1 - tlb_cpus[self].as
	   };
	   switch_space(self, a);
	   d_step {
		leave_cpu(self);
		tlb_cpus[self].irq_off = false;
		a = 0
	   }
	od
}
