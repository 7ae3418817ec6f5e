/*
 * types.pml - the machine's and the kernel's data, by the kernel's names.
 *
 * A page of the one object is mapped at the same address in both spaces. A
 * PTE and a TLB entry are a byte each: PTE_P, PTE_W, PTE_D, and the frame. A
 * TLB entry is dirty if it has PTE_D; only then a store goes through it.
 * Ghosts, which no kernel has, are what the properties speak of: which page
 * a copy is of, and whether it has the page's last store ("fresh").
 */
#define NCPUS 2
#define NPAGES 2
#define NSPACES 2
#define NFRAMES 2

#define PTE_P 1
#define PTE_W 2
#define PTE_D 4
#define WALKED (~PTE_W & ~PTE_D) /* what a walk leaves */
#define PTE_FRAME 8 /* the number of the frame, 0 or 1 */

#define FRAME_FREE 0
#define FRAME_INBOUND 1
#define FRAME_ACTIVE 2
#define FRAME_ISOLATED 3
#define FRAME_LAUNDRY 4
#define FRAME_LIMBO 5

#define FATE_NONE 0 /* not of this pass */
#define FATE_FREE 1
#define FATE_WRITE 2
#define FATE_KEEP 3

#define FLUSH_ALL 0
#define FLUSH_RANGE 1

#define ANY 2     /* request.as: whatever the target has loaded */
#define NOTHING 2 /* holds: no page's bytes */

/* The region of page 0 in space 0; all others stay REGION_RW. */
#define REGION_RW 0
#define REGION_RO 1
#define REGION_DYING 2
#define REGION_GONE 3

/* Entries of the object: the page's slot, or a frame. */
#define ENTRY_SLOT 0
#define ENTRY_FRAME(f) (1 + (f))
#define is_frame(e) ((e) != ENTRY_SLOT)
#define entry_frame(e) ((e) - 1)

/* How far the model runs; stores, loads and faults are without bound. */
#ifndef RECLAIMERS
#define RECLAIMERS 2 /* each makes one pass */
#endif
#ifndef CALLS
#define CALLS 1 /* unmaps or protects */
#endif
#ifndef SWITCHES
#define SWITCHES 0 /* of CPU 0: to the other space, or idle and back */
#endif
#ifndef GROUPS
#define GROUPS 2 /* that may wait */
#endif
#ifndef PAGES_IN
#define PAGES_IN NPAGES /* at the beginning */
#endif

typedef aspace_t {
	byte cpus;
	byte tlb_pending;
	byte tlb_flushed
};
typedef request_t {
	bit kind;
	byte as;
	bit va;
	byte gen;
	byte waiting
};
typedef tlb_cpu {
	bit as;
	byte seen;
	byte passed;
	bool lazy;
	byte inbox;
	request_t request;
	bool busy;    /* a thread is in the kernel: no user code runs */
	bool irq_off; /* ... and no interrupt is taken */
	bool behind   /* ... and it must compare generations first */
};
typedef tlb_batch {
	byte cpus;
	bool flush_required;
	bool writable;
	bool spaces[NSPACES];
	byte gen[NSPACES]
};
typedef frame_t {
	byte state;
	bool dirty;
	bool taken_back;
	byte mapcount;
	bit index;
	bit group;  /* the number of the group that it waits in, % GROUPS */
	bool io;    /* a read is under way */
	byte holds; /* ghost: the page whose bytes it has */
	bool fresh  /* ghost: the page's last store among them */
};
aspace_t aspace[NSPACES];
tlb_cpu tlb_cpus[NCPUS];
tlb_batch batch[2 + GROUPS]; /* of the two reclaimers; of the ring's groups */
frame_t frame[NFRAMES];
byte entry[NPAGES];
byte pte[NSPACES * NPAGES];
byte tlb[NCPUS * NPAGES];
byte region;
byte tlb_round;     /* the last group */
byte limbo_flushed; /* the last one that is paid */
byte limbo;         /* the last one that has a frame of the family */
bool limbo_mutex;

bool slot_fresh[NPAGES]; /* ghost: so has the slot of the page */
byte call_gen;       /* the generation that the call waits for */
byte revoked;        /* ghost: what an unmap or protect that returned took */
byte running;        /* ghost: passes and calls that are under way */

#define REVOKED_WRITE 1
#define REVOKED_ALL 2

#define PTE(a, p) pte[(a) * NPAGES + (p)]
#define LOADED_PTE(c, p) PTE(tlb_cpus[c].as, p)
#define TLB(c, p) tlb[(c) * NPAGES + (p)]
#define frame_of(e) ((e) >> 3)
#define aspace_owes(a) (aspace[a].tlb_flushed < aspace[a].tlb_pending)
#define limbo_owes (limbo > limbo_flushed && !PLANTED(L2))
#define limbo_waits (limbo_flushed < tlb_round)
#define limbo_has(a) (batch[2].spaces[a] || batch[1 + GROUPS].spaces[a])
/* The last debt on the space is a group's. */
#define limbo_pays(a) (batch[2].gen[a] == aspace[a].tlb_pending || \
	batch[1 + GROUPS].gen[a] == aspace[a].tlb_pending)
#define is_free(c) (!tlb_cpus[c].busy)
#define cpu_bit(c) (1 << (c))
#define REGION(a, p) ((a) == 0 && (p) == 0 -> region : REGION_RW)

/* What is planted; see tools/weirlib/model.py. */
#define NONE 0
#define Z1 1
#define Z2 2
#define Z4 4
#define Z5 5
#define Z6 6
#define Z8 8
#define Z12 12
#define Z22 22
#define Z26 26
#define Z27 27
#define Z29 29
#define Z30 30
#define Z32 32
#define Z33 33
#define Z35 35
#define L1 101
#define L2 102
#define L3 103
#define I14 114
#define I21 121
#define I22 122
#ifndef MUTANT
#define MUTANT NONE
#endif
#define PLANTED(name) (MUTANT == name)

/* The policies, by the fields of struct tlb_policy. */
#if POLICY == 0   /* immediate */
#define whole_batch false
#define at_clean true
#define at_dirty true
#define clean_waits false
#elif POLICY == 1 /* batch-clean */
#define whole_batch false
#define at_clean false
#define at_dirty true
#define clean_waits false
#elif POLICY == 2 /* batch-dirty */
#define whole_batch false
#define at_clean false
#define at_dirty false
#define clean_waits false
#elif POLICY == 3 /* two-pass */
#define whole_batch true
#define at_clean false
#define at_dirty false
#define clean_waits false
#else             /* lazy */
#define whole_batch true
#define at_clean false
#define at_dirty false
#define clean_waits true
#endif

/* The properties; CHECK selects some. */
#define P1 1
#define P2 2
#define P3 4
#define FLIGHT 8
#define DEBT 16
#define LOST 32
#define STALE 64
#ifndef CHECK
#define CHECK 127
#endif
#define checked(prop) ((CHECK & prop) != 0)
#define BROKEN(prop) printf("! %d\n", prop); assert(false)
#define require(prop, cond) \
	if :: checked(prop) && !(cond) -> BROKEN(prop) :: else fi
