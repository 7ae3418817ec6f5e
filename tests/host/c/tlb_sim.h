/*
 * tlb_sim.h - simulated CPUs with simulated TLBs, tags and all, for
 * tlb_test.c.
 *
 * One host thread plays all CPUs. While one waits for acknowledgements
 * (shim_relax), the others go on: they take their interrupt late, use their
 * old entries, switch, idle, or start rounds of their own, so generations
 * meet in every order. Each mapping of a page has a version; when a call of
 * tlb.h returns, the versions that it paid for are noted, and no CPU may use
 * one of them after that (P1, P3), nor store through one whose IO may have
 * started (P2). A store through a clean entry walks the tables, as on the
 * real machine.
 */
#pragma once

#include "shim.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/trap.h"
#include "kernel/stat.h"
#include "kernel/param.h"
#include "mm/aspace.h"
#include "mm/oracle.h"
#include "mm/tlb.h"
#include "mm/tlb_switch.h"

#define NCPUS 6
#define NSPACES 9 /* more than a batch remembers, or a CPU has tags for */
#define NPAGES 24
#define MAX_DEPTH 4
#define BATCH_MAX 32

struct params params;
/* Each page of each space has a frame of its own; frame 0 is nobody's. */
struct frame *frames;
uint64_t frames_end;
static struct frame descriptors[1 + NSPACES * NPAGES];

static struct frame *frame_at(unsigned space, unsigned nr)
{
	return &frames[1 + space * NPAGES + nr];
}

struct entry {
	uint64_t space; /* its id */
	bool valid, dirty;
	unsigned version;
};

struct sim_page {
	pte_t pte;
	unsigned version; /* of this mapping, or of the last one */
	unsigned paid;    /* up to here no CPU may have it */
	unsigned washed;  /* up to here no CPU may store through it */
};

static struct sim_space {
	struct aspace as;
	struct sim_page page[NPAGES];
	bool tables_gone;
} spaces[NSPACES];

static struct sim_cpu {
	struct sim_space *loaded; /* by CR3 */
	unsigned tag;             /* likewise */
	struct entry tlb[1 + TLB_TAGS][NPAGES];
	bool user;   /* its thread is in user mode, of `loaded` */
	bool busy;   /* inside a call of tlb.h */
	bool called; /* an interrupt is on its way */
	struct tlb_batch batch;
	unsigned n;
	struct { struct sim_space *s; unsigned page, version; } out[BATCH_MAX];
} sim[NCPUS];

static unsigned depth, ncpus = NCPUS;
static void (*script)(void); /* what happens during the next wait */
static bool lose_interrupts;
static uint64_t clock_ns;
static void (*handler)(struct trapframe *);

/* ---- The machine ---- */

uint64_t kernel_pml4_pa = 4096;
bool pcid_on;

void pcid_enable(void)
{
	pcid_on = true;
}

static struct sim_cpu *self(void)
{
	return &sim[shim_cpu];
}

uint64_t time_ns(void)
{
	return clock_ns += 1000;
}

void tlb_flush_user(void)
{
	memset(self()->tlb[self()->tag], 0, sizeof(self()->tlb[0]));
}

void tlb_invlpg(uint64_t va)
{
	self()->tlb[self()->tag][va / 4096].valid = false;
}

void write_cr3(uint64_t v)
{
	uint64_t pa = pte_pa(v);

	CHECK(pcid_on || !(v & (CR3_TAG | CR3_KEEP)));
	self()->tag = v & CR3_TAG;
	CHECK(self()->tag <= TLB_TAGS);
	if (!(v & CR3_KEEP))
		tlb_flush_user();
	self()->loaded = pa == kernel_pml4_pa ? NULL :
			 &spaces[pa / 4096 - 100];
	CHECK(!self()->loaded || !self()->loaded->tables_gone);
}

void irq_register(unsigned vector, void (*fn)(struct trapframe *))
{
	CHECK(vector == VEC_TLB);
	handler = fn;
}

void ipi_send(uint64_t cpus, unsigned vector)
{
	CHECK(cpus && vector == VEC_TLB);
	CHECK(!(cpus >> shim_cpu & 1) && !(cpus >> ncpus));
	for (unsigned i = 0; i < ncpus; i++)
		if (cpus >> i & 1 && !lose_interrupts)
			sim[i].called = true;
}

struct aspace *aspace_get(struct aspace *as)
{
	as->refs++;
	return as;
}

void aspace_put(struct aspace *as)
{
	CHECK(as->refs-- > 1);
}

/* A thread in user mode reads or writes a page. */
static void access_page(unsigned nr, bool write)
{
	struct sim_page *p = &self()->loaded->page[nr];
	struct entry *e = &self()->tlb[self()->tag][nr];

	if (e->valid) {
		CHECK(e->space == self()->loaded->as.id);
		CHECK(oracle_on || e->version > p->paid); /* P1, P3 */
		if (!write || e->dirty) {
			if (write) /* P2 */
				CHECK(oracle_on || e->version > p->washed);
			return;
		}
		e->valid = false; /* sets D: walks again */
	}
	CHECK(!self()->loaded->tables_gone);
	if (!(p->pte & PTE_P))
		return; /* a fault */
	p->pte |= PTE_A | (write ? PTE_D : 0);
	*e = (struct entry){ self()->loaded->as.id, true, write, p->version };
}

static void interrupt(void)
{
	if (!self()->called || !irq_enabled())
		return;
	self()->called = false;
	irq_disable();
	handler(NULL);
	irq_enable();
}

/* ---- What CPUs do ---- */

static struct sim_space *any_space(void)
{
	return &spaces[shim_random() % NSPACES];
}

static void map_page(struct sim_space *s, unsigned nr)
{
	if (s->page[nr].pte)
		return;
	s->page[nr].pte = frame_pa(frame_at(s - spaces, nr)) | PTE_P | PTE_U |
			  PTE_W;
	s->page[nr].version++;
}

static void run_user(struct sim_space *s)
{
	irq_disable();
	tlb_switch_to(&s->as);
	tlb_catch_up();
	irq_enable();
	self()->user = true;
}

static void idle(void)
{
	irq_disable();
	tlb_switch_to(NULL);
	irq_enable();
	self()->user = false;
}

static pte_t take_pte(struct sim_space *s, unsigned nr)
{
	pte_t old = pte_xchg(&s->page[nr].pte, 0);

	ORACLE(changed(&s->as, nr * 4096ull, old, 0));
	return old;
}

/* Reclaim unmaps a page into this CPU's batch. */
static bool unmap_deferred(struct sim_space *s, unsigned nr)
{
	struct sim_cpu *c = self();
	bool dirty;
	pte_t old;

	if (!s->page[nr].pte || c->n == BATCH_MAX)
		return false;
	spin_lock(&s->as.lock);
	old = take_pte(s, nr);
	tlb_batch_add(&c->batch, &s->as, nr * 4096ull, old);
	spin_unlock(&s->as.lock);
	dirty = old & PTE_D;
	CHECK(c->batch.flush_required);
	CHECK(!dirty || c->batch.writable);
	c->out[c->n].s = s;
	c->out[c->n].page = nr;
	c->out[c->n++].version = s->page[nr].version;
	return dirty;
}

static void raise_to(unsigned *mark, unsigned version)
{
	*mark = *mark > version ? *mark : version;
}

/* The frame of the n-th page that this CPU unmapped, unless it was mapped
 * again: then others may owe for it, too. */
static struct frame *frame_out(const struct sim_cpu *c, unsigned n)
{
	struct sim_space *s = c->out[n].s;
	unsigned nr = c->out[n].page;

	return s->page[nr].version == c->out[n].version ?
	       frame_at(s - spaces, nr) : NULL;
}

static void fence_io(void)
{
	struct sim_cpu *c = self();

	tlb_batch_flush_before_io(&c->batch);
	CHECK(oracle_on || !c->batch.writable);
	for (unsigned i = 0; i < c->n; i++) {
		if (frame_out(c, i))
			ORACLE(io(frame_out(c, i), false));
		raise_to(&c->out[i].s->page[c->out[i].page].washed,
			 c->out[i].version);
	}
}

/* No CPU may have what `c` unmapped any more. */
static void free_out(struct sim_cpu *c)
{
	CHECK(!c->batch.flush_required && !c->batch.cpus &&
	      !c->batch.nspaces && !c->batch.writable);
	for (unsigned i = 0; i < c->n; i++) {
		if (frame_out(c, i))
			ORACLE(freed(frame_out(c, i), 1));
		raise_to(&c->out[i].s->page[c->out[i].page].paid,
			 c->out[i].version);
	}
	c->n = 0;
}

static void fence_free(void)
{
	tlb_batch_flush_before_free(&self()->batch);
	free_out(self());
}

/* As mm/limbo.c: what nobody may write to waits for its flush. */
#define GROUPS 4
static struct sim_group {
	uint64_t round; /* 0: nothing waits */
	struct sim_cpu work; /* its batch, and what it unmapped */
} groups[GROUPS];

static void wait_in_group(void)
{
	struct sim_group *g = groups;

	fence_io();
	while (g < groups + GROUPS && g->round)
		g++;
	if (g == groups + GROUPS || !self()->batch.flush_required)
		return;
	g->round = __atomic_add_fetch(&tlb_round, 1, __ATOMIC_SEQ_CST);
	g->work = *self();
	memset(&self()->batch, 0, sizeof(self()->batch));
	self()->n = 0;
}

/* Frees what waits: where no CPU is behind, or after a flush of those. */
static void reap_group(struct sim_group *g, bool pay)
{
	struct sim_group mine = *g;
	uint64_t cpus = tlb_behind(mine.work.batch.cpus, mine.round);

	if (!mine.round || (cpus && !pay))
		return;
	g->round = 0;
	mine.work.batch.cpus = cpus;
	tlb_batch_flush(&mine.work.batch);
	free_out(&mine.work);
}

/* munmap of a range: at once, and only then does it return. */
static void unmap_range(struct sim_space *s)
{
	unsigned first = shim_random() % NPAGES;
	unsigned n = 1 + shim_random() % (NPAGES - first);
	unsigned version[NPAGES];
	uint64_t gen, owed;

	spin_lock(&s->as.lock);
	for (unsigned i = 0; i < n; i++) {
		take_pte(s, first + i);
		version[i] = s->page[first + i].version;
	}
	gen = tlb_debt(&s->as);
	owed = s->as.owed;
	spin_unlock(&s->as.lock);
	tlb_flush_range(&s->as, first * 4096ull, n, gen);
	ORACLE(visible(&s->as, owed));
	for (unsigned i = 0; i < n; i++)
		raise_to(&s->page[first + i].paid, version[i]);
}

/* What was unmapped before this call, by whomever, is gone after it. */
static void flush_pending(struct sim_space *s)
{
	unsigned gone[NPAGES];

	for (unsigned i = 0; i < NPAGES; i++)
		gone[i] = s->page[i].version - (s->page[i].pte != 0);
	uint64_t owed = s->as.owed;

	aspace_flush_pending(&s->as);
	ORACLE(visible(&s->as, owed));
	CHECK(s->as.tlb_flushed <= s->as.tlb_pending);
	for (unsigned i = 0; i < NPAGES; i++)
		raise_to(&s->page[i].paid, gone[i]);
}

/* As aspace_create does. */
static void name_space(struct sim_space *s)
{
	static uint64_t last;

	s->as.id = ++last;
}

/* A space ends: no thread in user mode, no CPU keeps its tables (I6). */
static void teardown(struct sim_space *s)
{
	for (unsigned i = 0; i < ncpus; i++)
		if (sim[i].loaded == s && (sim[i].user || sim[i].busy))
			return;
	for (unsigned i = 0; i < NPAGES; i++)
		take_pte(s, i);
	s->tables_gone = true; /* nobody may come in again */
	tlb_leave_tables(&s->as);
	ORACLE(tables_free(&s->as));
	CHECK(s->as.cpus == 0);
	for (unsigned i = 0; i < ncpus; i++)
		CHECK(sim[i].loaded != s);
	for (unsigned i = 0; i < NPAGES; i++)
		raise_to(&s->page[i].paid, s->page[i].version);
	s->tables_gone = false; /* and a new one begins */
	name_space(s);
}

/* Kernel work on this CPU, which may wait for others. */
static void kernel_work(void)
{
	struct sim_space *s = any_space();
	bool was_user = self()->user;

	self()->user = false;
	self()->busy = true;
	switch (shim_random() % 10) {
	case 0:
		fence_io();
		break;
	case 1:
		fence_io();
		fence_free();
		break;
	case 2:
		unmap_range(s);
		break;
	case 3:
		flush_pending(s);
		break;
	case 4:
		if (shim_random() % 8 == 0 && !s->tables_gone)
			teardown(s);
		break;
	case 5:
		wait_in_group();
		break;
	case 6:
		reap_group(&groups[shim_random() % GROUPS],
			   shim_random() % 2);
		break;
	default:
		for (unsigned i = shim_random() % 6; i > 0; i--)
			unmap_deferred(s, shim_random() % NPAGES);
	}
	self()->busy = false;
	self()->user = was_user;
}

/* One step of the CPU that shim_cpu names. */
static void step(void)
{
	uint64_t what = shim_random() % 16;

	if (self()->busy || what < 3) {
		interrupt();
	} else if (what < 9) {
		if (self()->user)
			for (unsigned i = 0; i < 4; i++)
				access_page(shim_random() % NPAGES,
					    shim_random() % 2);
	} else if (what < 11) {
		struct sim_space *s = any_space();

		if (!s->tables_gone)
			run_user(s);
	} else if (what < 12) {
		idle();
	} else if (what < 14) {
		struct sim_space *s = any_space();

		if (!s->tables_gone)
			map_page(s, shim_random() % NPAGES);
	} else {
		kernel_work();
	}
}

/* The others go on while this one waits. */
void shim_relax(void)
{
	unsigned waiting = shim_cpu;

	CHECK(irq_enabled());
	if (script) {
		void (*play)(void) = script;

		script = NULL;
		play();
	} else if (depth < MAX_DEPTH) {
		depth++;
		shim_cpu = shim_random() % ncpus;
		if (shim_cpu != waiting)
			step();
		depth--;
	} else {
		shim_cpu = shim_random() % ncpus;
		interrupt();
	}
	shim_cpu = waiting;
}

static void setup(unsigned n)
{
	/* Every CPU leaves the spaces that were. */
	for (shim_cpu = 0; oracle_on && shim_cpu < NCPUS; shim_cpu++) {
		oracle_sleeps();
		oracle_enters(NULL, 0);
	}
	shim_cpu = 0;
	memset(sim, 0, sizeof(sim));
	memset(spaces, 0, sizeof(spaces));
	memset(groups, 0, sizeof(groups));
	ncpus = shim_cpus = n;
	for (unsigned i = 0; i < NSPACES; i++) {
		spin_init(&spaces[i].as.lock, RANK_aspace);
		spaces[i].as.refs = 1;
		spaces[i].as.pml4_pa = (100 + i) * 4096;
		name_space(&spaces[i]);
	}
}

/* Back to the kernel's tables, so that a new run can begin. */
static void settle(void)
{
	depth = MAX_DEPTH; /* no new work: only interrupts */
	for (shim_cpu = 0; shim_cpu < ncpus; shim_cpu++) {
		fence_free();
		idle();
	}
	shim_cpu = 0;
	for (unsigned i = 0; i < GROUPS; i++)
		reap_group(&groups[i], true);
	for (unsigned i = 0; i < NSPACES; i++) {
		teardown(&spaces[i]);
		CHECK(spaces[i].as.refs == 1); /* batches let go */
	}
	for (shim_cpu = 0; shim_cpu < ncpus; shim_cpu++)
		interrupt();
	shim_cpu = 0;
	depth = 0;
}

static void test_random(unsigned n, unsigned steps)
{
	setup(n);
	while (steps-- > 0) {
		shim_cpu = shim_random() % n;
		step();
	}
	settle();
}
