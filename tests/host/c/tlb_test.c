/*
 * tlb_test.c - the debt of mm/tlb.c: at random, in set scenes, counted for
 * each policy, and misused. The machine is tlb_sim.h's.
 */
#include "tlb_sim.h"

/* ---- Generations: a debt that is recorded while another is paid (I8) ---- */

static void touch_on(unsigned cpu, unsigned nr)
{
	shim_cpu = cpu;
	access_page(nr, true);
}

/* CPU 0 waits for 1 and 2. CPU 2 has flushed when it loads page 1; then
 * CPU 1 unmaps page 1, and acknowledges only after that. */
static void new_debt(void)
{
	shim_cpu = 2;
	interrupt();
	touch_on(2, 1);
	shim_cpu = 1;
	self()->user = false;
	unmap_deferred(&spaces[0], 1);
	interrupt();
}

static void test_generations(void)
{
	struct sim_space *s = &spaces[0];

	setup(3);
	depth = MAX_DEPTH;
	map_page(s, 0);
	map_page(s, 1);
	for (shim_cpu = 0; shim_cpu < 3; shim_cpu++) {
		run_user(s);
		access_page(0, true);
	}
	shim_cpu = 0;
	self()->user = false;
	unmap_deferred(s, 0);
	script = new_debt;
	fence_io();
	fence_free();
	CHECK(!script && s->as.tlb_pending == 2);
	flush_pending(s); /* pays CPU 1's, too */
	CHECK(s->as.tlb_flushed == 2);
	touch_on(2, 1);
	touch_on(2, 0);
	settle();
}

/* A range is flushed page by page only by who missed nothing before it. */
static void test_ranges(void)
{
	struct sim_space *s = &spaces[0];
	uint64_t one;

	setup(2);
	depth = MAX_DEPTH;
	for (unsigned i = 0; i < 4; i++)
		map_page(s, i);
	for (shim_cpu = 0; shim_cpu < 2; shim_cpu++) {
		run_user(s);
		for (unsigned i = 0; i < 4; i++)
			access_page(i, true);
	}
	shim_cpu = 0;
	self()->user = false;
	one = shim_stats[WEIR_C_nr_tlb_local_flush_one];
	spin_lock(&s->as.lock);
	take_pte(s, 0);
	uint64_t first = tlb_debt(&s->as);
	take_pte(s, 1);
	uint64_t second = tlb_debt(&s->as);
	spin_unlock(&s->as.lock);
	tlb_flush_range(&s->as, 4096, 1, second); /* out of order */
	CHECK(shim_stats[WEIR_C_nr_tlb_local_flush_one] == one);
	CHECK(s->as.tlb_flushed < first); /* the first may still be due */
	s->page[1].paid = 1;
	touch_on(1, 1);
	shim_cpu = 0;
	tlb_flush_range(&s->as, 0, 1, first);
	s->page[0].paid = 1;
	touch_on(1, 0);
	touch_on(1, 2);
	shim_cpu = 0;
	take_pte(s, 2);
	spin_lock(&s->as.lock);
	first = tlb_debt(&s->as);
	spin_unlock(&s->as.lock);
	tlb_flush_range(&s->as, 2 * 4096, 1, first);
	s->page[2].paid = 1;
	CHECK(shim_stats[WEIR_C_nr_tlb_local_flush_one] == one + 2);
	touch_on(1, 2);
	settle();
}

/* Of two ranges that are owed, the first's flush is not the second's, which
 * is recorded already (I15, Z33). */
static void test_ranges_in_order(void)
{
	struct sim_space *s = &spaces[0];
	uint64_t debt[2];

	setup(2);
	depth = MAX_DEPTH;
	map_page(s, 0);
	map_page(s, 1);
	shim_cpu = 1;
	run_user(s);
	access_page(0, true);
	access_page(1, true);
	shim_cpu = 0;
	spin_lock(&s->as.lock);
	for (unsigned i = 0; i < 2; i++) {
		s->page[i].pte = 0;
		debt[i] = tlb_debt(&s->as);
	}
	spin_unlock(&s->as.lock);
	for (unsigned i = 0; i < 2; i++) {
		tlb_flush_range(&s->as, i * 4096, 1, debt[i]);
		s->page[i].paid = 1;
		touch_on(1, i);
		shim_cpu = 0;
	}
	settle();
}

/* An unmap has cleared PTEs and not yet opened its debt when reclaim meets
 * the dying region: the fences of reclaim's batch must pay for them (Z12). */
static void test_inherited(bool io)
{
	struct sim_space *s = &spaces[0];
	struct tlb_batch *b;

	setup(2);
	depth = MAX_DEPTH;
	map_page(s, 0);
	shim_cpu = 1;
	run_user(s);
	access_page(0, true);
	shim_cpu = 0;
	b = &self()->batch;
	spin_lock(&s->as.lock);
	take_pte(s, 0);
	spin_unlock(&s->as.lock);
	spin_lock(&s->as.lock);
	tlb_batch_inherit(b, &s->as);
	spin_unlock(&s->as.lock);
	CHECK(b->flush_required && b->writable && b->cpus == 2);
	if (io)
		tlb_batch_flush_before_io(b);
	else
		tlb_batch_flush_before_free(b);
	s->page[0].paid = s->page[0].version;
	touch_on(1, 0);
	settle();
}

/* ---- Tags: a CPU comes back to a space ---- */

static bool has_entry(unsigned nr)
{
	return self()->tlb[self()->tag][nr].valid;
}

/* CPU 1 touches a page, and visits `others` spaces. */
static void visit(unsigned others)
{
	shim_cpu = 1;
	run_user(&spaces[0]);
	access_page(0, true);
	for (unsigned i = 1; i <= others; i++)
		run_user(&spaces[i]);
}

static void test_tags(void)
{
	struct sim_space *s = &spaces[0];
	uint64_t rounds;

	setup(2);
	depth = MAX_DEPTH;
	map_page(s, 0);
	visit(TLB_TAGS - 1);
	run_user(s);
	CHECK(has_entry(0) == pcid_on); /* nothing was owed */
	visit(TLB_TAGS);
	run_user(s);
	CHECK(!has_entry(0)); /* another has had its tag */
	visit(1);
	rounds = shim_stats[WEIR_C_nr_tlb_remote_flush];
	shim_cpu = 0;
	unmap_deferred(s, 0);
	fence_io();
	fence_free();
	CHECK(shim_stats[WEIR_C_nr_tlb_remote_flush] == rounds);
	shim_cpu = 1;
	run_user(s);
	access_page(0, true); /* I16, Z31 */
	settle();
}

/* ---- Groups that wait for their flush ---- */

/* CPUs 1 and 2 have the page, which then waits in a group. */
static void one_waits(struct sim_space *s)
{
	setup(3);
	depth = MAX_DEPTH;
	map_page(s, 0);
	for (shim_cpu = 1; shim_cpu < 3; shim_cpu++) {
		run_user(s);
		access_page(0, false);
	}
	shim_cpu = 0;
	unmap_deferred(s, 0);
	wait_in_group();
	CHECK(groups[0].round);
}

/* Who comes back to user mode, or idles, is asked for nothing. */
static void test_behind(void)
{
	struct sim_space *s = &spaces[0];
	uint64_t rounds = shim_stats[WEIR_C_nr_tlb_remote_flush];

	one_waits(s);
	shim_cpu = 1;
	run_user(s);
	CHECK(!has_entry(0));
	shim_cpu = 0;
	CHECK(tlb_behind(6, groups[0].round) == 4);
	reap_group(&groups[0], false);
	CHECK(groups[0].round);
	shim_cpu = 2;
	access_page(0, false); /* the old entry: nothing is freed yet */
	idle();
	shim_cpu = 0;
	reap_group(&groups[0], false);
	CHECK(!groups[0].round);
	CHECK(shim_stats[WEIR_C_nr_tlb_remote_flush] == rounds);
	touch_on(1, 0);
	shim_cpu = 2;
	run_user(s);
	access_page(0, false);
	settle();
}

/* A CPU that goes to another space has passed, too. */
static void test_passed(void)
{
	one_waits(&spaces[0]);
	for (shim_cpu = 1; shim_cpu < 3; shim_cpu++)
		run_user(&spaces[1]);
	shim_cpu = 0;
	CHECK(tlb_behind(6, groups[0].round) == 0);
	reap_group(&groups[0], false);
	CHECK(!groups[0].round);
	for (shim_cpu = 1; shim_cpu < 3; shim_cpu++) {
		run_user(&spaces[0]);
		access_page(0, false);
	}
	settle();
}

/* ---- Event counts: DESIGN's table of policies ---- */

#define PASS 24 /* pages a batch */
#define NBATCHES 10

/* The skeleton of reclaim_pass. */
static void pass(const struct tlb_policy *policy, struct sim_space *s)
{
	unsigned run = policy->whole_batch ? PASS : 1;

	for (unsigned i = 0; i < PASS; i += run) {
		for (unsigned k = i; k < i + run; k++) {
			bool dirty = unmap_deferred(s, k);

			if (dirty ? policy->at_dirty : policy->at_clean)
				tlb_batch_flush(&self()->batch);
		}
		fence_io();
	}
	fence_free();
}

static uint64_t rounds(unsigned policy, unsigned cpus, bool dirty)
{
	struct sim_space *s = &spaces[0];
	uint64_t before;

	setup(cpus);
	before = shim_stats[WEIR_C_nr_tlb_remote_flush];
	for (unsigned b = 0; b < NBATCHES; b++) {
		for (unsigned i = 0; i < NPAGES; i++)
			map_page(s, i);
		for (shim_cpu = 0; shim_cpu < cpus; shim_cpu++) {
			run_user(s);
			for (unsigned i = 0; i < NPAGES; i++)
				access_page(i, dirty);
		}
		shim_cpu = 0;
		self()->user = false;
		self()->busy = true;
		depth = MAX_DEPTH;
		pass(&tlb_policies[policy], s);
		self()->busy = false;
	}
	settle();
	return shim_stats[WEIR_C_nr_tlb_remote_flush] - before;
}

static void test_counts(void)
{
	const unsigned n = PASS * NBATCHES;
	/* One more: settle's end of the space. */
	const unsigned each = n + 1, once = NBATCHES + 1;

	CHECK(rounds(WEIR_TLB_IMMEDIATE, 4, true) == each);
	CHECK(rounds(WEIR_TLB_BATCH_CLEAN, 4, true) == each);
	CHECK(rounds(WEIR_TLB_BATCH_DIRTY, 4, true) == each);
	CHECK(rounds(WEIR_TLB_TWO_PASS, 4, true) == once);
	CHECK(rounds(WEIR_TLB_IMMEDIATE, 4, false) == each);
	CHECK(rounds(WEIR_TLB_BATCH_CLEAN, 4, false) == once);
	CHECK(rounds(WEIR_TLB_BATCH_DIRTY, 4, false) == once);
	CHECK(rounds(WEIR_TLB_TWO_PASS, 4, false) == once);
	for (unsigned p = 0; p < WEIR_NPOLICIES; p++)
		CHECK(rounds(p, 1, true) == 0); /* nobody to ask */
}

/* ---- A lost acknowledgement, and misuse ---- */

static void lose(void *arg)
{
	setup(2);
	shim_cpu = 1;
	run_user(&spaces[0]);
	shim_cpu = 0;
	map_page(&spaces[0], 0);
	unmap_deferred(&spaces[0], 0);
	lose_interrupts = true;
	depth = MAX_DEPTH;
	tlb_batch_flush(&self()->batch);
}

/* Every way to wait for acknowledgements, where nothing is owed and nobody
 * is to be asked. */
static const struct way {
	void (*of_batch)(struct tlb_batch *b);
	void (*of_space)(struct aspace *as);
} ways[] = {
	{ .of_batch = tlb_batch_flush },
	{ .of_batch = tlb_batch_flush_before_io },
	{ .of_batch = tlb_batch_flush_before_free },
	{ .of_space = aspace_flush_pending },
	{ .of_space = tlb_leave_tables },
	{ NULL, NULL }, /* tlb_flush_range */
};

static void go(const struct way *w)
{
	if (w->of_batch)
		w->of_batch(&self()->batch);
	else if (w->of_space)
		w->of_space(&spaces[0].as);
	else
		tlb_flush_range(&spaces[0].as, 0, 1, 1);
}

static void flush_under_lock(void *way)
{
	spin_lock(&spaces[0].as.lock);
	go(way);
}

static void flush_irqs_off(void *way)
{
	irq_disable();
	go(way);
}

/* I21: who calls it wrongly is found also when nobody need be asked. */
static void test_callers(void)
{
	setup(1);
	for (unsigned i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		go(&ways[i]);
		expect_panic(flush_under_lock, (void *)&ways[i], "locks_held");
		expect_panic(flush_irqs_off, (void *)&ways[i], "irq_enabled");
	}
}

static void add_without_lock(void *arg)
{
	tlb_batch_add(&self()->batch, &spaces[0].as, 0, PTE_P);
}

/* With tags in the TLBs or without. */
static void test_all(bool pcid)
{
	uint64_t *kept = &shim_stats[WEIR_C_tlb_tag_kept];

	params.pcid = pcid;
	params.ranged = NPAGES / 2; /* so that there are both */
	tlb_init();
	test_generations();
	test_ranges();
	test_ranges_in_order();
	test_inherited(true);
	test_inherited(false);
	test_tags();
	test_counts();
	test_behind();
	test_random(2, 20000);
	test_random(NCPUS, 60000);
	test_random(1, 5000);
	tlb_policy_set(WEIR_TLB_LAZY); /* CPUs note what they pass */
	test_passed();
	test_random(NCPUS, 60000);
	CHECK(pcid ? *kept > 1000 : !*kept);
}

int main(int argc, char **argv)
{
	shim_seed(argc, argv);
	frames = descriptors;
	frames_end = 1 + NSPACES * NPAGES;
	if (argc > 2) { /* the oracle judges instead of tlb_sim.h */
		params.check = CHECK_TLB;
		oracle_init();
	}
	test_all(false);
	test_all(true);
	test_callers();
	setup(2);
	expect_panic(lose, NULL, "cpus 2");
	expect_panic(add_without_lock, NULL, "spin_held");
	return 0;
}
