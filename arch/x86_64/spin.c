/*
 * spin.c - ticket spinlocks.
 *
 * Per CPU: spin_depth and irq_was_on, touched only with interrupts off.
 * `holder` is a hint for messages and for spin_held, whose answer about the
 * own CPU is exact.
 */
#include "arch/x86_64/spin.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/panic.h"
#include "arch/x86_64/time.h"

#define LONGEST_SPIN_NS 10000000000ull

void spin_init(struct spinlock *l, const char *name)
{
	*l = (struct spinlock)SPINLOCK_INIT(name);
}

static void enter(void)
{
	uint64_t flags = irq_save();
	struct cpu *c = this_cpu();

	if (c->spin_depth++ == 0)
		c->irq_was_on = flags & 0x200;
}

static void leave(void)
{
	struct cpu *c = this_cpu();

	if (--c->spin_depth == 0 && c->irq_was_on)
		irq_enable();
}

static void wait_for_turn(struct spinlock *l, uint32_t ticket)
{
	uint64_t start = time_ns();

	for (unsigned spins = 1;; spins++) {
		if (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) == ticket)
			return;
		cpu_relax();
		if (spins % 1024 == 0 && time_ns() - start > LONGEST_SPIN_NS)
			panic("cpu %u has spun 10 s for the lock '%s', which "
			      "cpu %d holds", cpu_id(), l->name,
			      (int)l->holder - 1);
	}
}

void spin_lock(struct spinlock *l)
{
	uint32_t ticket;

	enter();
	if (spin_held(l))
		panic("cpu %u takes the lock '%s', which it holds", cpu_id(),
		      l->name);
	ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);
	if (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket)
		wait_for_turn(l, ticket);
	__atomic_store_n(&l->holder, cpu_id() + 1, __ATOMIC_RELAXED);
}

bool spin_trylock(struct spinlock *l)
{
	uint32_t ticket;

	enter();
	ticket = __atomic_load_n(&l->owner, __ATOMIC_ACQUIRE);
	if (!__atomic_compare_exchange_n(&l->next, &ticket, ticket + 1, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		leave();
		return false;
	}
	__atomic_store_n(&l->holder, cpu_id() + 1, __ATOMIC_RELAXED);
	return true;
}

void spin_unlock(struct spinlock *l)
{
	if (!spin_held(l))
		panic("cpu %u gives back the lock '%s', which cpu %d holds",
		      cpu_id(), l->name, (int)l->holder - 1);
	__atomic_store_n(&l->holder, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&l->owner, l->owner + 1, __ATOMIC_RELEASE);
	leave();
}

bool spin_held(const struct spinlock *l)
{
	return __atomic_load_n(&l->holder, __ATOMIC_RELAXED) == cpu_id() + 1;
}
