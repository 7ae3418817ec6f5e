/*
 * tlb_switch.h - what each CPU has loaded, and going over to another space;
 * for tlb.c and for the switch of threads, which it is a part of.
 */
#pragma once

#include "mm/oracle.h"
#include "mm/point.h"
#include "mm/tlb.h"

#define LOAD(p) __atomic_load_n(p, __ATOMIC_SEQ_CST)

enum request_kind { FLUSH_ALL, FLUSH_RANGE, LEAVE_TABLES };

struct tlb_request {
	enum request_kind kind;
	struct aspace *as; /* NULL: whatever the target has loaded */
	uint64_t va, npages, gen;
	uint64_t owed; /* the oracle's: as->owed of that generation */
	uint64_t waiting; /* atomic: CPUs that have not acknowledged */
};

/* With pcid_on each CPU has tags for the spaces it had last; 0 is that of the
 * kernel's own tables, and of all without pcid_on. */
#define TLB_TAGS 6

struct tlb_cpu {
	struct aspace *as; /* whose tables CR3 has; NULL: the kernel's own */
	uint64_t seen;     /* generation of `as` that this TLB reflects */
	uint64_t passed;   /* atomic: the loaded tag has no entries of groups
			    * up to this one */
	bool lazy;         /* atomic: only borrows the tables */
	uint8_t tag, taken; /* that CR3 has; that was taken over last */
	/* Whose (aspace.id; 0: nobody's), and `seen`, up to date once left. */
	struct { uint64_t space, seen; } tags[1 + TLB_TAGS];
	uint64_t inbox;    /* atomic: CPUs whose request waits for this one */
	struct tlb_request request;
} __attribute__((aligned(128)));

static inline uint64_t cpu_bit(unsigned cpu)
{
	return 1ull << cpu;
}

extern struct tlb_cpu tlb_cpus[MAX_CPUS];

void tlb_flush_own(struct tlb_cpu *c);

/* Loads CR3 for `as`, whose set has this CPU, with a tag where there are
 * tags; c->seen is what its entries then reflect. */
void tlb_load(struct tlb_cpu *c, struct aspace *as);

/* tlb_switch_to on this CPU, which is `self`. `users`: a space is loaded, and
 * `as` is another or the same one. `slow`: with tags, the points and the
 * oracle's hooks. Both are constants. */
static inline void tlb_switch(unsigned self, struct aspace *as, bool users,
			      bool slow)
{
	struct tlb_cpu *c = &tlb_cpus[self];
	struct aspace *old = c->as;
	uint64_t owed = 0;

	if (slow && old != as)
		ORACLE(sleeps());
	if (!users && !as) {
		__atomic_store_n(&c->lazy, true, __ATOMIC_SEQ_CST);
		return;
	}
	if (!users && c->lazy)
		__atomic_store_n(&c->lazy, false, __ATOMIC_SEQ_CST);
	if (slow)
		owed = LOAD(&as->owed);
	if (old != as) {
		/* I3: the bit is set before CR3 is loaded, the generation read
		 * in between; the old space's bit goes once its entries are
		 * gone, or of a tag that is not loaded. */
		if (!PLANTED(Z30))
			__atomic_or_fetch(&as->cpus, cpu_bit(self),
					  __ATOMIC_SEQ_CST);
		if (slow) {
			point(WEIR_POINT_cr3);
			tlb_load(c, as);
		} else {
			c->seen = LOAD(&as->tlb_pending);
			write_cr3(as->pml4_pa);
		}
		c->as = as;
		if (slow)
			point(WEIR_POINT_loaded);
		if (users || old)
			__atomic_and_fetch(&old->cpus, ~cpu_bit(self),
					   __ATOMIC_SEQ_CST);
	} else if (c->seen < LOAD(&as->tlb_pending) && !PLANTED(Z32) &&
		   !PLANTED(Z36)) {
		tlb_flush_own(c);
	}
	if (slow)
		ORACLE(enters(as, owed));
}

/* There are tags, or an oracle, or a point was armed. */
extern bool tlb_slow_switch;
void tlb_switch_slowly(unsigned self, struct aspace *as);

static inline void tlb_switch_on(unsigned self, struct aspace *as, bool users)
{
	if (__builtin_expect(tlb_slow_switch, false))
		tlb_switch_slowly(self, as);
	else
		tlb_switch(self, as, users, false);
}
