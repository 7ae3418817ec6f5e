/*
 * tlb.c - the debt and the shootdown that pays it.
 *
 * Data: one `struct tlb_cpu` per CPU: what it has loaded, the generation it
 * has seen, its inbox, and the one request it may have under way. No locks:
 * a batch belongs to a thread, the rest is atomic.
 *
 * Initiator            Target
 *  clear PTE            (running user code through the old entry)
 *  generation++
 *  fill own request
 *  set bit in inbox --> IPI: take inbox, note generation, flush,
 *  IPI, flush own       then clear own bit in request.waiting (I14)
 *  wait: waiting == 0 <-
 *
 * Two CPUs may shoot at each other: each waits with interrupts on, holds no
 * spinlock and serves its own inbox (I21). A CPU that only borrows a space's
 * tables (lazy) is not interrupted; it compares generations before it runs
 * that space's threads again (I16). So does a CPU that has left a space and
 * kept its entries under a tag (PCID), when it comes back: until then it
 * cannot use them. Sources: Intel SDM vol. 3A 4.10.1-4.10.5; Linux
 * 72b252aed506 and d950c9477d51 for the batch.
 */
#include "mm/tlb.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/trap.h"
#include "kernel/stat.h"
#include "mm/tlb_switch.h"

#define ACK_WARN_NS 2000000000ull
#define ACK_LOST_NS 30000000000ull
#define LATE_NS 500000 /* that ipi-late holds interrupts back, at most */

struct tlb_cpu tlb_cpus[MAX_CPUS];
uint64_t tlb_round;

/* ---- on the target -------------------------------------------------- */

/* Empties this CPU's TLB of user entries. The generation is read first, so
 * that `seen` never claims a debt recorded during the flush. */
void tlb_flush_own(struct tlb_cpu *c)
{
	uint64_t round = LOAD(&tlb_round);
	uint64_t gen = c->as ? LOAD(&c->as->tlb_pending) : 0;

	if (!PLANTED(Z35)) {
		ORACLE(flushes());
		tlb_flush_user();
	}
	c->seen = gen;
	__atomic_store_n(&c->passed, round, __ATOMIC_SEQ_CST);
	stat_add(WEIR_C_nr_tlb_local_flush_all, 1);
}

static void flush_own_page(uint64_t va)
{
	if (!PLANTED(Z35)) {
		ORACLE(flushed_page(va));
		tlb_invlpg(PLANTED(Z3) ? va / WEIR_PAGE_SIZE : va);
	}
	stat_add(WEIR_C_nr_tlb_local_flush_one, 1);
}

/* The tag for `as`, and CR3_KEEP if its entries reflect generation `gen`.
 * Else CR3's load empties it: it was left before the last debt, or it is
 * taken over from another space, perhaps a dead one. */
static uint64_t choose_tag(struct tlb_cpu *c, struct aspace *as, uint64_t gen)
{
	uint64_t keep = 0;
	unsigned tag = TLB_TAGS;

	c->tags[c->tag].seen = c->seen;
	while (tag && c->tags[tag].space != as->id)
		tag--;
	if (tag && (c->tags[tag].seen == gen || PLANTED(Z31)))
		keep = CR3_KEEP;
	if (!tag)
		tag = c->taken = c->taken % TLB_TAGS + 1;
	c->tags[tag].space = as->id;
	c->tag = tag;
	stat_add(keep ? WEIR_C_tlb_tag_kept : WEIR_C_tlb_tag_flushed, 1);
	return tag | keep;
}

void tlb_load(struct tlb_cpu *c, struct aspace *as)
{
	uint64_t gen = LOAD(&as->tlb_pending), cr3 = as->pml4_pa;

	if (pcid_on)
		cr3 |= choose_tag(c, as, gen);
	c->seen = gen;
	ORACLE(loads(as, cr3));
	write_cr3(cr3);
}

/* Goes over to the kernel's own tables. What its tag, and those of other
 * CPUs, keep of tables that are then freed (I6) nobody uses, not even ahead
 * of execution: a CPU walks with the tag that is loaded, and that of a space
 * without threads is loaded only when another takes it over, which empties
 * it. */
static void leave_tables(struct tlb_cpu *c, unsigned self)
{
	struct aspace *old = c->as;

	ORACLE(sleeps());
	write_cr3(kernel_pml4_pa);
	c->as = NULL;
	__atomic_and_fetch(&old->cpus, ~cpu_bit(self), __ATOMIC_SEQ_CST);
	ORACLE(enters(NULL, 0));
}

/* Does on this CPU what `r` asks. Interrupts off. */
static void serve(struct tlb_cpu *c, unsigned self, struct tlb_request *r)
{
	if (!c->as || (r->as && r->as != c->as))
		return; /* loaded after the PTE was cleared, or left: I16 */
	if (r->kind == LEAVE_TABLES) {
		leave_tables(c, self);
	} else if (r->kind == FLUSH_RANGE && c->seen + 1 == r->gen) {
		for (uint64_t i = 0; i < (PLANTED(Z34) ? 1 : r->npages); i++)
			flush_own_page(r->va + i * WEIR_PAGE_SIZE);
		ORACLE(flushed_range(r->va, r->npages, r->owed));
		c->seen = PLANTED(Z33) ? LOAD(&c->as->tlb_pending) :
					 r->gen; /* I15 */
	} else if (c->seen < LOAD(&c->as->tlb_pending)) {
		tlb_flush_own(c);
	}
}

/* Serves every request that waits for this CPU; acknowledges each after its
 * invalidation is done (I14). Interrupts off. */
static void serve_inbox(void)
{
	/* LAB shootdown begin: take the inbox; for each initiator in it pass
	 * the point WEIR_POINT_handler, serve, count
	 * nr_tlb_remote_flush_received, and only then acknowledge */
	unsigned self = cpu_id();
	struct tlb_cpu *c = &tlb_cpus[self];
	uint64_t from = __atomic_exchange_n(&c->inbox, 0, __ATOMIC_SEQ_CST);

	while (from) {
		unsigned initiator = __builtin_ctzll(from);
		struct tlb_request *r = &tlb_cpus[initiator].request;

		from &= from - 1;
		point(WEIR_POINT_handler);
		serve(c, self, r);
		stat_add(WEIR_C_nr_tlb_remote_flush_received, 1);
		__atomic_and_fetch(&r->waiting, ~cpu_bit(self),
				   __ATOMIC_SEQ_CST);
	}
	/* LAB shootdown end */
}

static void tlb_interrupt(struct trapframe *tf)
{
	serve_inbox();
}

/* ---- on the initiator ----------------------------------------------- */

/* Which of `cpus` must be interrupted: not this one, and not those that are
 * lazy. The debt's generation was raised before `lazy` is read here, and a
 * CPU clears `lazy` before it reads the generation: one of the two sees the
 * other (both sequentially consistent). */
static uint64_t must_interrupt(uint64_t cpus, enum request_kind kind)
{
	/* LAB shootdown begin: not this CPU, and not the lazy ones, which
	 * must leave tables all the same */
	cpus &= ~cpu_bit(cpu_id());
	if (kind == LEAVE_TABLES && !PLANTED(Z17b))
		return cpus;
	for (uint64_t left = cpus; left; left &= left - 1)
		if (LOAD(&tlb_cpus[__builtin_ctzll(left)].lazy))
			cpus &= ~(left & -left);
	return cpus;
	/* LAB shootdown stub
	 * return 0;
	 */
	/* LAB shootdown end */
}

static void interrupt(uint64_t cpus)
{
	ipi_send(cpus, VEC_TLB);
	for (; cpus; cpus &= cpus - 1)
		stat_add(WEIR_C_ipi_sent, 1);
}

/* Waits until nobody is left in r->waiting. If `late`, a fault on purpose, they
 * have not been interrupted yet: who serves another's request in that time
 * serves ours, too, and the two interrupts have become one. */
static void wait_for_acks(struct tlb_request *r, uint64_t asked, uint64_t late)
{
	/* LAB shootdown begin: wait until r->waiting is 0, and be useful
	 * meanwhile: somebody may wait for you; interrupt who is left once
	 * you have waited longer than `late`, if that is not 0; say so after
	 * ACK_WARN_NS, and panic after ACK_LOST_NS */
	uint64_t start = time_ns(), left;
	bool warned = false;

	while ((left = LOAD(&r->waiting))) {
		uint64_t flags = irq_save();

		serve_inbox();
		irq_restore(flags);
		cpu_relax();
		uint64_t waited = time_ns() - start;

		if (late && waited > late) {
			interrupt(left);
			late = 0;
		}
		if (waited > ACK_WARN_NS && !warned) {
			kprintf("tlb: cpu %u waits for cpus %lx of %lx\n",
				cpu_id(), left, asked);
			warned = true;
		}
		if (waited > ACK_LOST_NS)
			panic("I21: lost TLB acknowledgement: cpu %u asked "
			      "cpus %lx, still waits for %lx",
			      cpu_id(), asked, left);
	}
	/* LAB shootdown end */
}

/* Who may come to wait for acknowledgements must be able to serve others
 * meanwhile (I21), also when this time there is nobody to wait for. */
static void assert_may_wait(void)
{
	assert(irq_enabled());
	if (!PLANTED(W11))
		assert(!this_cpu()->locks_held);
}

/* One round: every CPU of `cpus` does what `what` says before we return. */
static void shoot(uint64_t cpus, struct tlb_request what)
{
	unsigned self = cpu_id();
	struct tlb_cpu *c = &tlb_cpus[self];
	struct tlb_request *r = &c->request;
	uint64_t remote = must_interrupt(cpus, what.kind), late = 0;

	assert_may_wait();
	point(WEIR_POINT_flush);
	if (remote) {
		/* LAB shootdown begin: make the request, complete, before
		 * anybody can see it in an inbox */
		what.waiting = remote;
		*r = what;
		for (uint64_t left = remote; left; left &= left - 1)
			__atomic_or_fetch(
				&tlb_cpus[__builtin_ctzll(left)].inbox,
				cpu_bit(self), __ATOMIC_SEQ_CST);
		/* LAB shootdown end */
		stat_add(WEIR_C_nr_tlb_remote_flush, 1);
		late = INJECT("ipi-late") % LATE_NS;
		if (!late)
			interrupt(remote);
	}
	if (cpus & cpu_bit(self)) {
		uint64_t flags = irq_save();

		serve(c, self, &what);
		irq_restore(flags);
	}
	if (remote)
		wait_for_acks(r, remote, late);
	point(WEIR_POINT_ack);
}

/* Raises as->tlb_flushed to `gen`: the value sampled before the flush, never
 * a newer one, so a debt recorded meanwhile stays due (I8). */
static void retire(struct aspace *as, uint64_t gen)
{
	/* LAB tlb begin: raise it, and never lower it: others do the same at
	 * the same time */
	uint64_t was = LOAD(&as->tlb_flushed);

	if (PLANTED(Z6)) /* a boolean: "nothing is due any more" */
		gen = LOAD(&as->tlb_pending);
	while (was < gen &&
	       !__atomic_compare_exchange_n(&as->tlb_flushed, &was, gen, false,
					    __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST))
		;
	/* LAB tlb end */
}

uint64_t tlb_debt(struct aspace *as)
{
	uint64_t gen, moment = oracle_on ? oracle_moment() : 0;

	assert(spin_held(&as->lock));
	gen = __atomic_add_fetch(&as->tlb_pending, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&as->owed, moment, __ATOMIC_SEQ_CST);
	return gen;
}

/* With one CPU (`make UP=1`) there is nobody to interrupt, so one INVLPG of
 * our own at once is cheaper than to remember it: nothing is ever owed, the
 * fences have nothing to pay, and the compiler drops what is behind them. */
static bool flushed_at_once(struct aspace *as, uint64_t va)
{
	if (MAX_CPUS > 1)
		return false;
	if (tlb_cpus[0].as == as)
		flush_own_page(va);
	ORACLE(flushes()); /* there was nothing else */
	return true;
}

/* ---- batches -------------------------------------------------------- */

/* Remembers that the next flush pays `gen` of `as`. */
static void batch_note_space(struct tlb_batch *b, struct aspace *as,
			     uint64_t gen)
{
	unsigned i;

	for (i = 0; i < b->nspaces; i++)
		if (b->spaces[i].as == as)
			break;
	if (i == TLB_BATCH_SPACES)
		return;
	if (i == b->nspaces) {
		b->spaces[i].as = aspace_get(as);
		b->nspaces++;
	}
	b->spaces[i].gen = gen;
}

/* Adds what the CPUs of `as` may hold to the debt. A generation is opened,
 * else CPUs that have seen the latest one would not flush for us. */
static void batch_owe(struct tlb_batch *b, struct aspace *as)
{
	/* LAB tlb begin: open a generation, and note who may hold an entry,
	 * and that something is owed */
	uint64_t gen = tlb_debt(as);

	b->cpus |= LOAD(&as->cpus);
	b->flush_required = true;
	batch_note_space(b, as, gen);
	/* LAB tlb stub
	 * (void)batch_note_space;
	 */
	/* LAB tlb end */
}

void tlb_batch_add(struct tlb_batch *b, struct aspace *as, uint64_t va,
		   pte_t old)
{
	assert(spin_held(&as->lock));
	if (flushed_at_once(as, va))
		return;
	/* LAB tlb begin: owe the entry; could somebody write through it? */
	batch_owe(b, as);
	if (old & PTE_D)
		b->writable = true;
	b->pages++;
	/* LAB tlb end */
	stat_add(WEIR_C_tlb_batch_pages, 1);
}

void tlb_batch_inherit(struct tlb_batch *b, struct aspace *as)
{
	batch_owe(b, as);
	/* LAB tlb begin: what do we know of the entries? */
	if (!PLANTED(Z11))
		b->writable = true;
	/* LAB tlb end */
}

static void batch_clear(struct tlb_batch *b)
{
	for (unsigned i = 0; i < b->nspaces; i++)
		aspace_put(b->spaces[i].as);
	*b = (struct tlb_batch){ 0 };
}

void tlb_batch_flush(struct tlb_batch *b)
{
	assert_may_wait();
	if (!b->flush_required)
		return;
	/* LAB tlb begin: one round for all that is owed; then, and only
	 * then, nothing is */
	shoot(b->cpus, (struct tlb_request){ .kind = FLUSH_ALL });
	for (unsigned i = 0; i < b->nspaces; i++)
		retire(b->spaces[i].as, b->spaces[i].gen);
	batch_clear(b);
	/* LAB tlb stub
	 * batch_clear(b);
	 */
	/* LAB tlb end */
}

/* Pays if it is `due`, which `counter` counts. */
static void fence(struct tlb_batch *b, bool due, enum weir_counter counter)
{
	assert_may_wait();
	stat_add(due ? counter : WEIR_C_tlb_flush_avoided, 1);
	if (due)
		tlb_batch_flush(b);
}

void tlb_batch_flush_before_io(struct tlb_batch *b)
{
	/* LAB tlb begin: when must a page's IO wait for the flush? */
	if (!PLANTED(Z1))
		fence(b, b->writable, WEIR_C_tlb_flush_before_io);
	/* LAB tlb stub
	 * fence(b, false, WEIR_C_tlb_flush_before_io);
	 */
	/* LAB tlb end */
}

void tlb_batch_flush_before_free(struct tlb_batch *b)
{
	/* LAB tlb begin: when must a frame wait for the flush? */
	fence(b, b->flush_required, WEIR_C_tlb_flush_before_free);
	/* LAB tlb stub
	 * fence(b, false, WEIR_C_tlb_flush_before_free);
	 */
	/* LAB tlb end */
}

uint64_t tlb_behind(uint64_t cpus, uint64_t round)
{
	for (uint64_t left = cpus; left; left &= left - 1) {
		struct tlb_cpu *c = &tlb_cpus[__builtin_ctzll(left)];

		if (LOAD(&c->passed) >= round || LOAD(&c->lazy) || PLANTED(L1))
			cpus &= ~(left & -left);
	}
	return cpus;
}

/* ---- whole spaces --------------------------------------------------- */

void tlb_flush_range(struct aspace *as, uint64_t va, uint64_t npages,
		     uint64_t gen)
{
	uint64_t before = gen - 1;
	bool ranged = npages <= LOAD(&params.ranged);

	shoot(LOAD(&as->cpus),
	      (struct tlb_request){
		      .kind = ranged ? FLUSH_RANGE : FLUSH_ALL,
		      .as = as, .va = va, .npages = npages, .gen = gen,
		      .owed = LOAD(&as->owed) });
	/* Only this debt is known to be paid: retire it if it is the next. */
	__atomic_compare_exchange_n(&as->tlb_flushed, &before, gen, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

bool aspace_owes(struct aspace *as)
{
	return LOAD(&as->tlb_flushed) < LOAD(&as->tlb_pending);
}

void aspace_flush_pending(struct aspace *as)
{
	/* LAB tlb begin: pay what was recorded before the call, by whomever;
	 * nothing, if nothing is owed; context: assert_may_wait */
	uint64_t gen = LOAD(&as->tlb_pending);

	assert_may_wait();
	if (PLANTED(Z5) || !aspace_owes(as))
		return;
	shoot(LOAD(&as->cpus),
	      (struct tlb_request){ .kind = FLUSH_ALL, .as = as });
	retire(as, gen);
	/* LAB tlb stub
	 * assert_may_wait();
	 * retire(as, LOAD(&as->tlb_pending));
	 */
	/* LAB tlb end */
}

void tlb_leave_tables(struct aspace *as)
{
	shoot(LOAD(&as->cpus),
	      (struct tlb_request){ .kind = LEAVE_TABLES, .as = as });
	assert(LOAD(&as->cpus) == 0); /* I6 */
}

/* ---- switching ------------------------------------------------------ */

bool tlb_slow_switch;

void tlb_switch_slowly(unsigned self, struct aspace *as)
{
	tlb_switch(self, as, false, true);
}

void tlb_switch_to(struct aspace *as)
{
	assert(!irq_enabled());
	tlb_switch_on(cpu_id(), as, false);
}

void tlb_catch_up(void)
{
	struct tlb_cpu *c = &tlb_cpus[cpu_id()];

	assert(!c->lazy);
	if (PLANTED(Z30))
		__atomic_or_fetch(&c->as->cpus, cpu_bit(cpu_id()),
				  __ATOMIC_SEQ_CST);
	uint64_t round = LOAD(&tlb_round);

	/* What it has seen of its space's debts, no group is behind. */
	if ((PLANTED(Z36) || c->passed < round) &&
	    c->seen < LOAD(&c->as->tlb_pending))
		tlb_flush_own(c);
	else if (c->passed < round)
		__atomic_store_n(&c->passed, round, __ATOMIC_SEQ_CST);
	if (LOAD(&c->inbox))
		serve_inbox();
}

void tlb_init(void)
{
	/* With one CPU nobody counts debts, which tags live by. */
	if (params.pcid && MAX_CPUS > 1)
		pcid_enable();
	tlb_slow_switch |= pcid_on || oracle_on;
	irq_register(VEC_TLB, tlb_interrupt);
}
