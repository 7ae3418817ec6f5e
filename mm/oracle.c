/*
 * oracle.c - check=tlb: see oracle.h.
 *
 * Owns a ghost for each frame (what is left of its translations), a struct
 * oracle_cpu for each CPU, and the last events. Lock: oracle_lock, a leaf; it
 * makes a moment and what is noted with it one step. Why there is no false
 * alarm: a ghost is noted, then its generation opened, then CPUs that are not
 * idle interrupted; a CPU reads the generation, then strikes out, then
 * flushes. So whoever skips a flush because he has seen the generation has
 * struck out the ghost. Who leaves a space strikes out, too: what its tag
 * keeps is judged by the tag's last flush when it is loaded again. In the
 * moments between, a bug could slip through.
 */
#include "mm/oracle.h"

#include "mm/tlb_switch.h"

#define EVENTS 1024u
#define EVENTS_SHOWN 24u

enum event_kind { UNMAPS, WEAKENS, ALLOCATES, FREES, STARTS_IO, FLUSHES,
		  ENTERS };
static const char *const kinds[] = {
	"unmaps it at", "weakens it at", "allocates it", "frees it",
	"starts IO on it", "flushes tag", "enters space",
};

/* Who may hold old translations, and ones to write through, since when. */
static struct ghost {
	uint64_t since, holders, writers;
} *ghosts; /* under oracle_lock, as all below unless noted */

static struct event {
	uint64_t moment, arg, pfn; /* of kinds FLUSHES on, of no frame: -1 */
	enum event_kind kind;
	unsigned cpu;
} *events;

static struct oracle_cpu {
	struct aspace *as;  /* atomic, as the next two */
	bool live;          /* it may use its user entries */
	uint64_t caught_up; /* entries noted before cannot be used any more */
	uint64_t pages;     /* its own: sum of the pages flushed one by one */
	unsigned tag;       /* that CR3 has */
	/* Whose entries it may have (aspace.id); debts up to here are paid. */
	struct { uint64_t space, flushed; } tags[1 + TLB_TAGS];
} __attribute__((aligned(64))) oracle_cpus[MAX_CPUS];

bool oracle_on;
static uint64_t moment;     /* atomic */
static struct spinlock oracle_lock = SPINLOCK_INIT(oracle);

void oracle_init(void)
{
	uint64_t bytes = frames_end * sizeof(*ghosts);

	if (!(params.check & CHECK_TLB))
		return;
	ghosts = KVA(early_alloc(bytes / WEIR_PAGE_SIZE + 1));
	events = KVA(early_alloc(EVENTS * sizeof(*events) / WEIR_PAGE_SIZE));
	oracle_on = true;
}

uint64_t oracle_moment(void)
{
	return __atomic_add_fetch(&moment, 1, __ATOMIC_SEQ_CST);
}

/* Notes it, and when. Holds oracle_lock. */
static uint64_t note(enum event_kind kind, uint64_t pfn, uint64_t arg)
{
	uint64_t now = oracle_moment();

	events[now % EVENTS] = (struct event){ now, arg, pfn, kind, cpu_id() };
	return now;
}

/* Those of `cpus` that still have entries noted at moment `since`, and if
 * `live` use them. */
static uint64_t behind(uint64_t cpus, uint64_t since, bool live)
{
	for (uint64_t left = cpus; left; left &= left - 1) {
		struct oracle_cpu *o = &oracle_cpus[__builtin_ctzll(left)];

		if (LOAD(&o->caught_up) >= since || (live && !LOAD(&o->live)))
			cpus &= ~(left & -left);
	}
	return cpus;
}

/* Shows what happened last to the frame, oldest first, with flushes of
 * `cpus`. */
static _Noreturn void violated(const char *promise, const char *what,
			       uint64_t pfn, uint64_t cpus)
{
	const struct event *shown[EVENTS_SHOWN];
	uint64_t now = LOAD(&moment);
	unsigned n = 0;

	for (uint64_t i = 0; i < EVENTS && n < EVENTS_SHOWN; i++) {
		const struct event *e = &events[(now - i) % EVENTS];

		if (e->moment && (e->pfn == pfn || (e->kind >= FLUSHES &&
						    cpus >> e->cpu & 1)))
			shown[n++] = e;
	}
	kprintf("oracle: what led to it (moment: event):\n");
	while (n--)
		kprintf("oracle: %lu: cpu %u %s %lx\n", shown[n]->moment,
			shown[n]->cpu, kinds[shown[n]->kind], shown[n]->arg);
	panic("%s: frame %lx is %s, and cpus %lx may still use an old entry",
	      promise, frame_pa(frames + pfn), what, cpus);
}

/* Of the entry of `as` that was changed last; 0: that is too long ago. */
static uint64_t last_changed(const struct aspace *as)
{
	const struct event *e = &events[as->changed % EVENTS];

	return e->moment == as->changed ? e->pfn : 0;
}

/* ---- what happens ---- */

void oracle_changed(struct aspace *as, uint64_t va, pte_t old, pte_t now)
{
	uint64_t pfn = pte_pa(old) / WEIR_PAGE_SIZE;
	bool unmapped = !(now & PTE_P), no_exec = now & ~old & PTE_NX;
	bool no_write = old & ~now & PTE_W && old & PTE_D;
	struct ghost *g = &ghosts[pfn];

	if (!(old & PTE_P) || pfn >= frames_end)
		return;
	spin_lock(&oracle_lock);
	/* Who leaves the space after this moment strikes it out. */
	uint64_t at = note(unmapped ? UNMAPS : WEAKENS, pfn, va);
	uint64_t cpus = LOAD(&as->cpus);

	g->holders = behind(g->holders, g->since, false);
	g->writers = behind(g->writers, g->since, false);
	g->since = as->changed = at;
	g->holders |= unmapped || no_exec ? cpus : 0;
	g->writers |= no_write ? cpus : 0;
	spin_unlock(&oracle_lock);
}

/* An event of this CPU, which cannot use what was noted before any more.
 * Holds oracle_lock. */
static uint64_t strike_out(struct oracle_cpu *o, enum event_kind kind,
			   uint64_t arg)
{
	uint64_t at = note(kind, UINT64_MAX, arg);

	__atomic_store_n(&o->caught_up, at, __ATOMIC_SEQ_CST);
	o->pages = 0;
	return at;
}

void oracle_flushes(void)
{
	struct oracle_cpu *o = &oracle_cpus[cpu_id()];

	spin_lock(&oracle_lock);
	o->tags[o->tag].flushed = strike_out(o, FLUSHES, o->tag);
	spin_unlock(&oracle_lock);
}

void oracle_loads(struct aspace *as, uint64_t cr3)
{
	struct oracle_cpu *o = &oracle_cpus[cpu_id()];

	spin_lock(&oracle_lock);
	/* Of the old space no table can be walked from here on; once our bit
	 * is gone they may be freed. */
	__atomic_store_n(&o->as, NULL, __ATOMIC_SEQ_CST);
	o->tag = cr3 & CR3_TAG;
	if (!(cr3 & CR3_KEEP)) {
		o->tags[o->tag].flushed = strike_out(o, FLUSHES, o->tag);
		o->tags[o->tag].space = as->id;
	}
	spin_unlock(&oracle_lock);
}

void oracle_flushed_page(uint64_t va)
{
	oracle_cpus[cpu_id()].pages += va;
}

void oracle_flushed_range(uint64_t va, uint64_t npages, uint64_t owed)
{
	struct oracle_cpu *o = &oracle_cpus[cpu_id()];
	uint64_t all = npages * va + npages * (npages - 1) / 2 * WEIR_PAGE_SIZE;

	spin_lock(&oracle_lock);
	if (o->pages == all && owed > o->tags[o->tag].flushed)
		o->tags[o->tag].flushed = owed;
	/* If the space has changed nothing since, there is nothing left, also
	 * of what another space has noted later for the same frame. */
	if (o->pages == all && o->as->changed <= owed)
		strike_out(o, FLUSHES, o->tag);
	else if (o->pages == all && owed > o->caught_up)
		__atomic_store_n(&o->caught_up, owed, __ATOMIC_SEQ_CST);
	o->pages = 0;
	spin_unlock(&oracle_lock);
}

void oracle_sleeps(void)
{
	__atomic_store_n(&oracle_cpus[cpu_id()].live, false, __ATOMIC_SEQ_CST);
}

void oracle_enters(struct aspace *as, uint64_t owed)
{
	struct oracle_cpu *o = &oracle_cpus[cpu_id()];

	spin_lock(&oracle_lock);
	if (o->as != as)
		strike_out(o, ENTERS, (uint64_t)as);
	bool paid = !as || (o->tags[o->tag].space == as->id &&
			    o->tags[o->tag].flushed >= owed);
	__atomic_store_n(&o->as, as, __ATOMIC_SEQ_CST);
	__atomic_store_n(&o->live, as != NULL, __ATOMIC_SEQ_CST);
	spin_unlock(&oracle_lock);
	if (!paid || (as && !(LOAD(&as->cpus) & cpu_bit(cpu_id()))))
		violated(paid ? "P3, I3" : "P3, I16", "unmapped",
			 last_changed(as), cpu_bit(cpu_id()));
}

/* ---- what must hold then ---- */

/* Nobody can use (`writers`: write through) an old entry for the frames. */
static void check(struct frame *f, uint64_t n, bool writers,
		  enum event_kind kind, const char *promise, const char *what)
{
	for (uint64_t pfn = f - frames, end = pfn + n; pfn < end; pfn++) {
		struct ghost *g = &ghosts[pfn];

		spin_lock(&oracle_lock);
		note(kind, pfn, writers);
		uint64_t cpus = behind(writers ? g->writers : g->holders,
				       g->since, true);
		spin_unlock(&oracle_lock);
		if (cpus)
			violated(promise, what, pfn, cpus);
	}
}

void oracle_allocated(struct frame *f, uint64_t n)
{
	check(f, n, false, ALLOCATES, "P1, I5", "allocated");
}

void oracle_freed(struct frame *f, uint64_t n)
{
	check(f, n, false, FREES, "P1, I5", "freed");
}

void oracle_io(struct frame *f, bool into)
{
	check(f, 1, !into, STARTS_IO, "P2, I4", into ? "read into" : "copied");
}

void oracle_recorded(struct aspace *as)
{
	if (MAX_CPUS > 1 && as->owed < as->changed)
		violated("P3, I2", "unmapped without a debt",
			 last_changed(as), as->cpus);
}

void oracle_visible(struct aspace *as, uint64_t owed)
{
	uint64_t cpus = 0;

	spin_lock(&oracle_lock); /* `as` and `tag` belong together */
	for (unsigned i = 0; i < cpu_count(); i++) {
		struct oracle_cpu *o = &oracle_cpus[i];

		if (o->as == as && LOAD(&o->live) &&
		    o->tags[o->tag].flushed < owed)
			cpus |= cpu_bit(i);
	}
	spin_unlock(&oracle_lock);
	if (cpus)
		violated("P3, I7", "unmapped or protected", last_changed(as),
			 cpus);
}

void oracle_tables_free(struct aspace *as)
{
	for (unsigned i = 0; i < cpu_count(); i++)
		if (LOAD(&oracle_cpus[i].as) == as)
			violated("P1, I6", "a page table that is freed",
				 as->pml4_pa / WEIR_PAGE_SIZE, cpu_bit(i));
}
