/*
 * spin.c - spinlocks: one word that names the holder.
 *
 * Per CPU: locks_held and irq_was_on, touched only with interrupts off.
 */
#include "arch/x86_64/spin.h"

#include "arch/x86_64/time.h"

#define LONGEST_SPIN_NS 10000000000ull
#define LEAST_SPINS 100000u /* a CPU that the host stopped has not spun */

#define NAME(name) #name,
static const char *const names[] = { LOCK_ORDER(NAME) };

static void spin_until_taken(struct spinlock *l)
{
	uint64_t start = time_ns();
	unsigned spins = 0;
	uint32_t holder;

	while ((holder = __atomic_load_n(&l->holder, __ATOMIC_RELAXED)) ||
	       !spin_try_quick(l, cpu_id() + 1)) {
		cpu_relax();
		if (++spins % LEAST_SPINS == 0 && holder &&
		    time_ns() - start > LONGEST_SPIN_NS)
			panic("cpu %u has spun 10 s for the lock '%s', which "
			      "cpu %u holds", cpu_id(), names[l->rank],
			      holder - 1);
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
		      "'%s'", cpu_id(), names[l->rank],
		      names[31 - __builtin_clz(c->locks_held)]);
	c->locks_held |= 1u << l->rank;
	if (!spin_try_quick(l, cpu_id() + 1))
		spin_until_taken(l);
}

void spin_unlock(struct spinlock *l)
{
	struct cpu *c = this_cpu();

	if (!spin_held(l))
		panic("cpu %u gives back the lock '%s', which cpu %d holds",
		      cpu_id(), names[l->rank], (int)l->holder - 1);
	c->locks_held &= ~(1u << l->rank);
	/* The last touch: who waited for it may free its memory. */
	__atomic_store_n(&l->holder, 0, __ATOMIC_RELEASE);
	if (!c->locks_held && c->irq_was_on)
		irq_enable();
}

bool spin_held(const struct spinlock *l)
{
	return __atomic_load_n(&l->holder, __ATOMIC_RELAXED) == cpu_id() + 1;
}
