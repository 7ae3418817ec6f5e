/*
 * sched.c - per-CPU run queues, the switch, placement and balancing.
 *
 * Data: `struct runq` per CPU, under its own lock, which is held from the
 * moment a thread decides to leave until its successor runs on its own
 * stack. So who holds the lock of the run queue that t->cpu names, and that
 * alone changes t->cpu, knows that the stack of `t` is not in use unless `t`
 * runs.
 * Lock order: any wait queue's or task's lock -> one run queue's lock; two
 * run queues' locks are never held at once. Only user mode is preempted.
 * Balancing: a wake-up goes to an idle CPU, an idle CPU steals, and a CPU
 * whose slice ends takes one from a queue that is longer by two.
 */
#include "kernel/sched.h"

#include "arch/x86_64/apic.h"
#include "kernel/runq.h"

#define SLICE_NS 10000000ull
#define STORM_NS 30000ull

struct runq runqs[MAX_CPUS];
static uint64_t idle_mask; /* atomic: CPUs that look for work */

/* ---- run queues ---------------------------------------------------------- */

/* At the end of its priority. Holds rq->lock, as all here. */
static void rq_insert(struct runq *rq, struct thread *t)
{
	assert(spin_held(&rq->lock) && &runqs[t->cpu] == rq && !t->queued);
	t->queued = true;
	TAILQ_INSERT_TAIL(&rq->queue[t->prio], t, run_link);
	rq->bitmap |= 1u << t->prio;
	rq->nr++;
}

static void rq_remove(struct runq *rq, struct thread *t)
{
	assert(spin_held(&rq->lock) && t->queued);
	t->queued = false;
	TAILQ_REMOVE(&rq->queue[t->prio], t, run_link);
	if (TAILQ_EMPTY(&rq->queue[t->prio]))
		rq->bitmap &= ~(1u << t->prio);
	rq->nr--;
}

/* The first of the highest priority that may run on one of `cpus`, or NULL. */
static struct thread *rq_best(struct runq *rq, uint64_t cpus)
{
	struct thread *t;

	for (uint32_t left = rq->bitmap; left;) {
		unsigned prio = 31 - __builtin_clz(left);

		TAILQ_FOREACH(t, &rq->queue[prio], run_link)
			if (t->affinity & cpus)
				return t;
		left &= ~(1u << prio);
	}
	return NULL;
}

/* ---- time ---------------------------------------------------------------- */

/* This CPU's next timer interrupt: the slice's end or the first sleeper. One
 * that comes before is left as it is: setting the APIC is slow, and a thread
 * that yields in a loop would spend its time on that, under rq->lock. */
static void arm_timer(struct runq *rq)
{
	uint64_t now = time_ns();
	uint64_t at = rq->sleepq.next_ns;

	if (rq->prio != PRIO_IDLE && rq->slice_end < at)
		at = rq->slice_end;
	if (INJECT("timer-storm") && at > now + STORM_NS)
		at = now + STORM_NS;
	if (at == UINT64_MAX || (rq->timer_at > now && rq->timer_at <= at))
		return;
	rq->timer_at = at;
	timer_oneshot_ns(at > now ? at - now : 1);
}

/* ---- the switch ---------------------------------------------------------- */

/* Not inline: the CPU is another one than before the switch. */
__attribute__((noinline)) void sched_arrive(bool irqs_on)
{
	struct runq *rq = this_cpu()->rq;
	struct thread *prev = rq->prev;
	bool moves = prev->state == THREAD_RUNNABLE && !prev->queued &&
		     prev != &rq->idle; /* it may not run here any more */
	bool dead = prev->state == THREAD_DEAD;

	rq->prev = NULL;
	__atomic_store_n(&prev->on_cpu, 0, __ATOMIC_SEQ_CST);
	this_cpu()->irq_was_on = irqs_on;
	spin_unlock(&rq->lock);
	if (moves)
		sched_enqueue(prev, false);
	if (dead)
		object_put(&prev->object);
}

/* Leaves the current thread for the best one. Holds rq->lock, and nothing
 * else; it is released. */
static void switch_locked(struct runq *rq)
{
	struct thread *prev = current(), *next = rq_best(rq, ~0ull);
	bool irqs_on = this_cpu()->irq_was_on;

	assert(this_cpu()->locks_held == RANK_BIT(runq));
	__atomic_store_n(&rq->need, false, __ATOMIC_RELAXED);
	if (next)
		rq_remove(rq, next);
	else
		next = &rq->idle;
	rq->prio = next == &rq->idle ? PRIO_IDLE : next->prio;
	rq->slice_end = time_ns() + SLICE_NS;
	arm_timer(rq);
	if (next == prev) {
		spin_unlock(&rq->lock);
		return;
	}
	rq->prev = prev;
	load_thread(this_cpu(), cpu_id(), prev, next, false);
	stat_add(WEIR_C_ctxt, 1);
	context_switch(&prev->sp, next->sp);
	sched_arrive(irqs_on);
}

void schedule(void)
{
	struct runq *rq = this_cpu()->rq;
	struct thread *t = current();

	spin_lock(&rq->lock);
	if (t->state == THREAD_RUNNABLE && t != &rq->idle &&
	    t->affinity >> cpu_id() & 1)
		rq_insert(rq, t);
	switch_locked(rq);
}

bool sched_sleep(bool killable, struct spinlock *release)
{
	enum thread_state state = killable ? THREAD_WAITING : THREAD_SLEEPING;
	struct runq *rq = this_cpu()->rq;
	struct thread *t = current();

	assert(t != &rq->idle && !irq_enabled());
	spin_lock(&rq->lock);
	/* From here a waker may claim us; it cannot enqueue us before the
	 * switch is done, for that needs rq->lock. */
	__atomic_store_n(&t->state, state, __ATOMIC_SEQ_CST);
	bool sleeps = !(killable && thread_killed() &&
			thread_exchange(t, state, THREAD_RUNNABLE));
	spin_unlock(release);
	if (sleeps)
		switch_locked(rq);
	else
		spin_unlock(&rq->lock);
	return sleeps;
}

/* ---- waking -------------------------------------------------------------- */

/* Where a woken thread should run: where it ran, if that is idle; some idle
 * CPU, which is thereby taken; where it ran; any, for others may steal it. */
static unsigned choose_cpu(struct thread *t, bool here)
{
	uint64_t allowed = t->affinity & sched_cpus();
	uint64_t last = 1ull << t->cpu;
	uint64_t idle = __atomic_load_n(&idle_mask, __ATOMIC_SEQ_CST);

	if (here && allowed >> cpu_id() & 1)
		return cpu_id();
	while ((idle &= allowed)) {
		uint64_t bit = idle & last ? last : idle & -idle;

		if (__atomic_fetch_and(&idle_mask, ~bit, __ATOMIC_SEQ_CST) &
		    bit)
			return __builtin_ctzll(bit);
		idle &= ~bit;
	}
	return allowed & last ? t->cpu : (unsigned)__builtin_ctzll(allowed);
}

/* On the way back to user mode, and in the idle loop, it looks at `need`. So
 * the interrupt has no handler. */
void sched_kick(unsigned cpu)
{
	__atomic_store_n(&runqs[cpu].need, true, __ATOMIC_SEQ_CST);
	if (cpu == cpu_id())
		return;
	stat_add(WEIR_C_irq_resched, 1);
	ipi_send(1ull << cpu, VEC_RESCHED);
}

/* Locks the run queue that `t` is on, or would be on. */
static struct runq *lock_rq_of(struct thread *t)
{
	for (;;) {
		unsigned cpu = __atomic_load_n(&t->cpu, __ATOMIC_RELAXED);

		spin_lock(&runqs[cpu].lock);
		if (cpu == t->cpu)
			return &runqs[cpu];
		spin_unlock(&runqs[cpu].lock);
	}
}

void sched_enqueue(struct thread *t, bool here)
{
	unsigned cpu = choose_cpu(t, here);
	struct runq *rq = lock_rq_of(t); /* it has left its last CPU */

	if (cpu != t->cpu && t->affinity >> cpu & 1) {
		t->cpu = cpu;
		spin_unlock(&rq->lock);
		rq = lock_rq_of(t);
	}
	__atomic_store_n(&t->state, THREAD_RUNNABLE, __ATOMIC_SEQ_CST);
	rq_insert(rq, t);
	bool preempts = rq->prio < t->prio;
	spin_unlock(&rq->lock);
	if (preempts)
		sched_kick(rq - runqs);
}

bool sched_wake(struct thread *t, bool kill, bool here)
{
	bool claimed = thread_exchange(t, THREAD_WAITING, THREAD_WAKING) ||
		       (!kill && thread_exchange(t, THREAD_SLEEPING,
						 THREAD_WAKING));

	if (claimed)
		sched_enqueue(t, here);
	return claimed;
}

/* ---- balancing ----------------------------------------------------------- */

/* Takes a thread over from the longest queue, if that has `min` threads.
 * Interrupts off. */
static bool steal(unsigned min)
{
	struct runq *best = NULL;
	struct thread *t = NULL;

	for (unsigned i = 1; i < cpu_count(); i++) {
		struct runq *rq = &runqs[(cpu_id() + i) % cpu_count()];
		unsigned nr = __atomic_load_n(&rq->nr, __ATOMIC_RELAXED);

		if (nr >= min && (!best || nr > best->nr))
			best = rq;
	}
	if (!best)
		return false;
	spin_lock(&best->lock);
	/* A CPU that is idle takes one itself: two that wake at once would
	 * else steal it from each other for ever. */
	if (best->nr > (best->prio == PRIO_IDLE))
		t = rq_best(best, 1ull << cpu_id());
	if (t) {
		rq_remove(best, t);
		t->cpu = cpu_id();
	}
	spin_unlock(&best->lock);
	if (t) /* elsewhere, if its affinity is changed just now */
		sched_enqueue(t, true);
	return t;
}

bool sched_all_idle(void)
{
	uint64_t idle = __atomic_load_n(&idle_mask, __ATOMIC_RELAXED);

	return !(sched_cpus() & ~(idle | 1ull << cpu_id())) &&
	       this_cpu()->rq->nr == 0;
}

/* ---- interrupts ---------------------------------------------------------- */

static void timer(struct trapframe *tf)
{
	struct runq *rq = this_cpu()->rq;
	uint64_t idle = __atomic_load_n(&idle_mask, __ATOMIC_RELAXED);
	uint64_t now = time_ns();

	rq->timer_at = 0;
	sleepq_expire();
	if (rq->prio != PRIO_IDLE && now >= rq->slice_end) {
		if (current()->task)
			account(current(), rdtsc());
		/* Somebody idle may take what waits here, or we take from a
		 * queue that is longer by two. */
		if (rq->nr && idle)
			sched_kick(__builtin_ctzll(idle));
		else
			steal(rq->nr + 2);
		if (rq->nr)
			rq->need = true;
		rq->slice_end = now + SLICE_NS;
	}
	arm_timer(rq);
}

bool sched_needed(void)
{
	return __atomic_load_n(&this_cpu()->rq->need, __ATOMIC_RELAXED);
}

void cond_resched(void)
{
	if (sched_needed())
		schedule();
}

/* ---- changing a thread --------------------------------------------------- */

void sched_set_prio(struct thread *t, unsigned prio)
{
	struct runq *rq = lock_rq_of(t);
	bool queued = t->queued;

	if (queued)
		rq_remove(rq, t);
	t->prio = prio;
	if (queued)
		rq_insert(rq, t);
	else if (t->on_cpu)
		rq->prio = prio; /* it runs: who leaves holds the lock */
	if (rq_above(rq, rq->prio))
		sched_kick(t->cpu);
	spin_unlock(&rq->lock);
}

void sched_set_affinity(struct thread *t, uint64_t mask)
{
	struct runq *rq = lock_rq_of(t);
	unsigned cpu = t->cpu;
	bool moves = t->queued && !(mask >> cpu & 1);

	t->affinity = mask;
	if (moves)
		rq_remove(rq, t);
	else if (!t->on_cpu && !(mask >> cpu & 1))
		t->cpu = __builtin_ctzll(mask); /* asleep: not here */
	spin_unlock(&rq->lock);
	if (moves)
		sched_enqueue(t, false);
	else
		sched_kick(cpu);
}

/* ---- idle ---------------------------------------------------------------- */

void sched_idle(void)
{
	struct runq *rq = this_cpu()->rq;
	uint64_t bit = 1ull << cpu_id();

	for (;;) {
		irq_disable();
		/* The bit first: who queues elsewhere and does not see it
		 * has queued before we look. */
		__atomic_or_fetch(&idle_mask, bit, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&rq->nr, __ATOMIC_SEQ_CST) || steal(1)) {
			__atomic_and_fetch(&idle_mask, ~bit, __ATOMIC_SEQ_CST);
			schedule();
			irq_enable();
			continue;
		}
		__atomic_store_n(&rq->need, false, __ATOMIC_RELAXED);
		arm_timer(rq);
		cpu_idle_wait();
	}
}

/* Turns the running context into this CPU's idle thread. */
static void adopt_idle(void)
{
	struct runq *rq = &runqs[cpu_id()];

	rq->idle.cpu = cpu_id();
	rq->idle.affinity = 1ull << cpu_id();
	rq->idle.on_cpu = 1;
	this_cpu()->rq = rq;
	this_cpu()->current = &rq->idle;
	thread_use_space(NULL);
}

void sched_init(void)
{
	for (struct runq *rq = runqs; rq < runqs + MAX_CPUS; rq++) {
		spin_init(&rq->lock, RANK_runq);
		for (unsigned prio = 0; prio < PRIORITIES; prio++)
			TAILQ_INIT(&rq->queue[prio]);
		rq->prio = PRIO_IDLE;
		spin_init(&rq->sleepq.lock, RANK_sleepq);
		TAILQ_INIT(&rq->sleepq.threads);
		rq->sleepq.next_ns = UINT64_MAX;
	}
	irq_register(VEC_TIMER, timer);
	adopt_idle();
}

void kernel_ap_main(void)
{
	adopt_idle();
	sched_idle();
}
