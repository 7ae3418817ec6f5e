/*
 * hardware.pml - the CPUs' TLBs, user code, and the swap device.
 *
 * A CPU may walk, also speculatively, whenever a space is loaded; so it does
 * at once, and has each entry that it could have. It may have lost it, too:
 * whether an access faults is for the PTE to say. A store through a dirty
 * entry writes and asks nobody; any other walks first and sets D in the PTE,
 * or faults. User code needs no process of its own: what the CPU may do next,
 * it may do, if it changes something; so "nothing can happen" can be found.
 */

/* User code on the CPU could use what its TLB has, without further ado. */
#define usable(c) (!tlb_cpus[c].lazy && !tlb_cpus[c].behind)
#define user_mode(c) (usable(c) && !tlb_cpus[c].busy)

#define is_dirty(e) (((e) & PTE_D) != 0)
#define is_writable(e) (((e) & (PTE_P | PTE_W)) == (PTE_P | PTE_W))
#define walks_dirty(e) (is_writable(e) && is_dirty(e))
#define caches(c, f) (usable(c) && \
	((TLB(c, 0) && frame_of(TLB(c, 0)) == (f)) || \
	 (TLB(c, 1) && frame_of(TLB(c, 1)) == (f))))
#define caches_dirty(c, f) (usable(c) && \
	((is_dirty(TLB(c, 0)) && frame_of(TLB(c, 0)) == (f)) || \
	 (is_dirty(TLB(c, 1)) && frame_of(TLB(c, 1)) == (f))))
#define mapped_by(a, p, f) ((PTE(a, p) & PTE_P) && frame_of(PTE(a, p)) == (f))
#define maps_writable(a, p, f) \
	(is_writable(PTE(a, p)) && frame_of(PTE(a, p)) == (f))

/* P1: nobody has a way to the frame. */
#define unreachable(f) (!caches(0, f) && !caches(1, f) && \
	!mapped_by(0, 0, f) && !mapped_by(0, 1, f) && \
	!mapped_by(1, 0, f) && !mapped_by(1, 1, f))
/* P2: nobody can write to it. */
#define unwritable(f) (!caches_dirty(0, f) && !caches_dirty(1, f) && \
	!maps_writable(0, 0, f) && !maps_writable(0, 1, f) && \
	!maps_writable(1, 0, f) && !maps_writable(1, 1, f))
/* P3: what was taken from space 0 is gone from this CPU. */
#define forgotten(c) (!usable(c) || tlb_cpus[c].as != 0 || \
	(revoked == REVOKED_ALL -> TLB(c, 0) == 0 : \
	 (revoked == REVOKED_WRITE -> !is_dirty(TLB(c, 0)) : true)))

/* The entry of page p is filled as soon as a walk can fill it. */
inline fill(c, p)
{
	if
	:: !(LOADED_PTE(c, p) & PTE_P)
	:: else ->
		if
		:: TLB(c, p) == 0 -> TLB(c, p) = LOADED_PTE(c, p) & WALKED
		:: else
		fi;
		if
		:: walks_dirty(LOADED_PTE(c, p)) &&
		   frame_of(LOADED_PTE(c, p)) == frame_of(TLB(c, p)) ->
			TLB(c, p) = TLB(c, p) | PTE_D
		:: else
		fi
	fi
}

/* The PTE of page p in space a allows more than before. */
inline fill_all(space, p)
{
	if :: tlb_cpus[0].as == space -> fill(0, p) :: else fi;
	if :: tlb_cpus[1].as == space -> fill(1, p) :: else fi
}

inline tlb_invlpg(c, p)
{
	TLB(c, p) = 0;
	fill(c, p)
}

inline tlb_flush_user(c)
{
	tlb_invlpg(c, 0);
	tlb_invlpg(c, 1)
}

/* The bytes of page p in frame f are the newest; no other copy's are. */
#define newest(f, p) (frame[f].holds == (p) && frame[f].fresh && \
	!(frame[1 - (f)].holds == (p) && frame[1 - (f)].fresh) && \
	!slot_fresh[p])

inline forget_copies(p)
{
	if :: frame[0].holds == p -> frame[0].fresh = false :: else fi;
	if :: frame[1].holds == p -> frame[1].fresh = false :: else fi;
	slot_fresh[p] = false
}

inline store_to(f, p)
{
	forget_copies(p);
	frame[f].holds = p;
	frame[f].fresh = true
}

inline store_silently(c, p)
{
	printf("@%d stores to page %d through its dirty entry, frame %d\n",
	       c, p, frame_of(TLB(c, p)));
	store_to(frame_of(TLB(c, p)), p)
}

inline store_walking(c, p)
{
	LOADED_PTE(c, p) = LOADED_PTE(c, p) | PTE_D;
	TLB(c, p) = 0;
	fill_all(tlb_cpus[c].as, p);
	printf("@%d stores to page %d: walks, sets D (frame %d)\n",
	       c, p, frame_of(TLB(c, p)));
	store_to(frame_of(TLB(c, p)), p)
}

#define can_store(c, p) (user_mode(c) && (is_dirty(TLB(c, p)) -> \
	!newest(frame_of(TLB(c, p)), p) : is_writable(LOADED_PTE(c, p))))

inline store(c, p)
{
	if
	:: is_dirty(TLB(c, p)) -> store_silently(c, p)
	:: else -> store_walking(c, p)
	fi
}

#define STORES(c, p) :: d_step { can_store(c, p) -> store(c, p) }

active proctype hardware()
{
end:
	do
	STORES(0, 0)
	STORES(0, 1)
	STORES(1, 0)
	STORES(1, 1)
	od
}

/* Copying and completion are one step: until a pass looks at the frame again
 * nobody can tell them apart. */
inline transfer_out(f)
{
	slot_fresh[frame[f].index] =
		frame[f].holds == frame[f].index && frame[f].fresh;
	frame[f].state = FRAME_ISOLATED;
	printf("@2 page %d is written from frame %d\n", frame[f].index, f)
}

inline transfer_in(f)
{
	frame[f].holds = frame[f].index;
	frame[f].fresh = slot_fresh[frame[f].index];
	frame[f].io = false;
	printf("@2 page %d is read to frame %d\n", frame[f].index, f)
}

#define DEVICE_STEPS(f) \
	:: d_step { frame[f].state == FRAME_LAUNDRY -> transfer_out(f) } \
	:: d_step { frame[f].io -> transfer_in(f) }

active proctype device()
{
end:
	do
	DEVICE_STEPS(0)
	DEVICE_STEPS(1)
	od
}

/* Looks at every state; it can move only where a property is broken. */
#define CACHED(c, p) frame[frame_of(TLB(c, p))]
#define is_foreign(c, p) (usable(c) && TLB(c, p) && \
	CACHED(c, p).state != FRAME_FREE && CACHED(c, p).index != (p))
#define reads_wrongly(c, p) (usable(c) && TLB(c, p) && \
	entry[p] == ENTRY_FRAME(frame_of(TLB(c, p))) && \
	CACHED(c, p).state != FRAME_INBOUND && \
	(CACHED(c, p).holds != (p) || !CACHED(c, p).fresh))
#define LOADS(c, p) \
	:: d_step { checked(LOST) && reads_wrongly(c, p) -> \
		printf("@%d loads from page %d: not what was stored\n", \
		       c, p); \
		BROKEN(LOST) } \
	:: d_step { checked(P1) && is_foreign(c, p) -> \
		printf("@%d can use frame %d as page %d: it is page %d\n", \
		       c, frame_of(TLB(c, p)), p, CACHED(c, p).index); \
		BROKEN(P1) } \
	:: d_step { checked(STALE) && reads_old(c, p) -> \
		printf("@%d can still read page %d in its old frame %d\n", \
		       c, p, frame_of(TLB(c, p))); \
		BROKEN(STALE) }
/* An old frame of the page, which was stored to since. */
#define reads_old(c, p) (usable(c) && TLB(c, p) && \
	entry[p] != ENTRY_FRAME(frame_of(TLB(c, p))) && \
	CACHED(c, p).holds == (p) && !CACHED(c, p).fresh)
#define FRAMES(f) \
	:: d_step { checked(P1) && frame[f].state == FRAME_FREE && \
		!unreachable(f) -> BROKEN(P1) } \
	:: d_step { checked(P2) && frame[f].state == FRAME_LAUNDRY && \
		!unwritable(f) -> BROKEN(P2) }

active proctype monitor()
{
end:
	do
	LOADS(0, 0)
	LOADS(0, 1)
	LOADS(1, 0)
	LOADS(1, 1)
	FRAMES(0)
	FRAMES(1)
	:: d_step { checked(P3) && !(forgotten(0) && forgotten(1)) ->
		BROKEN(P3) }
	:: d_step { checked(DEBT) && running == 0 &&
		((aspace_owes(0) && !limbo_pays(0)) ||
		 (aspace_owes(1) && !limbo_pays(1))) ->
		BROKEN(DEBT) }
	od
}
