/*
 * spin_test.c - arch/x86_64/spin.c on one CPU that this test plays.
 *
 * Whoever gets a lock may free its memory: so the store that gives it back is
 * followed by garbage in all of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define this_cpu  hw_this_cpu
#define cpu_id	  hw_cpu_id
#define irq_save  hw_irq_save
#define irq_enable hw_irq_enable
#include "arch/x86_64/cpu.h"
#undef this_cpu
#undef cpu_id
#undef irq_save
#undef irq_enable

static struct cpu cpu = { .id = 3 };
static bool irqs_on = true;

static struct cpu *this_cpu(void)
{
	return &cpu;
}

static unsigned cpu_id(void)
{
	return cpu.id;
}

static uint64_t irq_save(void)
{
	bool were_on = irqs_on;

	irqs_on = false;
	return were_on ? 0x200 : 0;
}

static void irq_enable(void)
{
	irqs_on = true;
}

static bool reused; /* the memory of a lock, once it was given back */

static void store(uint8_t *holder, uint8_t value)
{
	*holder = value;
	if (reused && !value)
		memset(holder, 0xff, 8);
}

#define __atomic_store_n(at, value, order) store(at, value)
#include "arch/x86_64/spin.c"
#undef __atomic_store_n

static struct spinlock *passed; /* CPU 0 gives it back and wants it again */
static unsigned asked;

uint64_t time_ns(void)
{
	static uint64_t now;

	if (!passed)
		return now += LONGEST_SPIN_NS;
	passed->holder = 0;
	if (asked++ < 9)
		spin_try_quick(passed, 1);
	return now += PATIENCE_NS / 3;
}

static jmp_buf panicked;
static char message[200];

void panic(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	longjmp(panicked, 1);
}

static void check(bool right, int line)
{
	if (right)
		return;
	printf("spin_test.c:%d: wrong (%s)\n", line, message);
	exit(1);
}

#define CHECK(x) check(x, __LINE__)

static void must_panic(void (*fn)(struct spinlock *), struct spinlock *l,
		       const char *text)
{
	if (setjmp(panicked) == 0) {
		fn(l);
		CHECK(!"it returned");
	}
	CHECK(strstr(message, text));
	cpu.locks_held = 0;
	irqs_on = true;
}

static void test_nesting(void)
{
	struct spinlock aspace = SPINLOCK_INIT(aspace);
	struct spinlock runq = SPINLOCK_INIT(runq);

	for (unsigned on = 0; on < 2; on++) {
		irqs_on = on;
		spin_lock(&aspace);
		CHECK(!irqs_on && spin_held(&aspace) && !spin_held(&runq));
		CHECK(cpu.locks_held == RANK_BIT(aspace));
		spin_lock(&runq);
		spin_unlock(&aspace);
		CHECK(!irqs_on && cpu.locks_held == RANK_BIT(runq));
		spin_unlock(&runq);
		CHECK(irqs_on == on && !cpu.locks_held && !runq.holder);
	}
	irqs_on = true;
}

static void test_last_touch(void)
{
	struct spinlock pageio = SPINLOCK_INIT(pageio);

	spin_lock(&pageio);
	reused = true;
	spin_unlock(&pageio);
	reused = false;
	CHECK(!cpu.locks_held && irqs_on);
	CHECK(pageio.holder == UINT8_MAX);
}

/* Whoever waits sees the lock with another each time it looks. */
static void test_patience(void)
{
	struct spinlock lru = { .holder = 1, .rank = RANK_lru };

	passed = &lru;
	spin_lock(&lru);
	CHECK(asked > 3 && asked < 9 && spin_held(&lru) && !lru.next);
	passed = NULL;
	spin_unlock(&lru);
	CHECK(spin_try_quick(&lru, 1));
	lru = (struct spinlock){ .next = 1, .rank = RANK_lru };
	CHECK(!spin_try_quick(&lru, 2) && !lru.holder);
}

static void test_misuse(void)
{
	struct spinlock aspace = SPINLOCK_INIT(aspace);
	struct spinlock runq = SPINLOCK_INIT(runq);
	struct spinlock other = { .holder = 1, .rank = RANK_lru };

	spin_lock(&runq);
	must_panic(spin_lock, &aspace, "takes the lock 'aspace' while it holds "
		   "'runq'");
	spin_lock(&aspace);
	must_panic(spin_lock, &aspace, "takes the lock 'aspace' while it holds "
		   "'aspace'");
	must_panic(spin_unlock, &other,
		   "gives back the lock 'lru', which cpu 0 "
		   "holds");
	must_panic(spin_lock, &other, "cpu 3 has spun 10 s for the lock 'lru', "
		   "which cpu 0 holds");
}

int main(void)
{
	test_nesting();
	test_last_touch();
	test_patience();
	test_misuse();
	return 0;
}
