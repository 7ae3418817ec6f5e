/*
 * spin.c - spinlocks: one word that names the holder and who is next.
 *
 * Per CPU: locks_held and irq_was_on, touched only with interrupts off.
 */
#include "arch/x86_64/spin.h"

#include "arch/x86_64/time.h"

#define LONGEST_SPIN_NS 10000000000ull
#define LEAST_SPINS 100000u /* a CPU that the host stopped has not spun */
#define PATIENCE_NS 1000000u

#define NAME(name) #name,
static const char *const names[] = { LOCK_ORDER(NAME) };

static __attribute__((noinline)) void spin_until_taken(struct spinlock *l,
						       uint8_t me)
{
	uint64_t start = time_ns(), waited = 0;

	for (unsigned spins = 0;; spins++, waited = time_ns() - start) {
		struct spinlock seen = { .both = __atomic_load_n(
			&l->both, __ATOMIC_RELAXED) }, then = seen;
		bool free = !seen.holder && (!seen.next || seen.next == me);

		if (free)
			then.both = me;
		else if (waited > PATIENCE_NS && !seen.next)
			then.next = me;
		if (then.both != seen.both &&
		    compare_exchange(&l->both, &seen.both, then.both) && free)
			return;
		cpu_relax();
		if (spins % LEAST_SPINS == LEAST_SPINS - 1 && seen.both &&
		    waited > LONGEST_SPIN_NS)
			panic("cpu %u has spun 10 s for the lock '%s', which "
			      "cpu %u holds", me - 1, names[l->rank],
			      seen.holder - 1);
	}
}

void spin_lock(struct spinlock *l)
{
	uint64_t flags = irq_save();
	struct cpu *c = this_cpu();

	if (!c->locks_held)
		c->irq_was_on = flags & 0x200;
	if (c->locks_held >> l->rank)
		panic("lock order: cpu %u takes the lock '%s' while it holds "
		      "'%s'", c->id, names[l->rank],
		      names[31 - __builtin_clz(c->locks_held)]);
	c->locks_held |= 1u << l->rank;
	if (!spin_try_quick(l, c->id + 1))
		spin_until_taken(l, c->id + 1);
}

void spin_unlock(struct spinlock *l)
{
	struct cpu *c = this_cpu();

	if (l->holder != c->id + 1)
		panic("cpu %u gives back the lock '%s', which cpu %d holds",
		      c->id, names[l->rank], (int)l->holder - 1);
	c->locks_held &= ~(1u << l->rank);
	/* The last touch: who waited for it may free its memory. */
	__atomic_store_n(&l->holder, 0, __ATOMIC_RELEASE);
	if (!c->locks_held && c->irq_was_on)
		irq_enable();
}
