/*
 * time.c - TSC and APIC timer, measured against the PIT.
 *
 * Written once by time_init, then only read. Rates are fixed-point factors
 * of 2^32, so that the clock costs one multiplication.
 */
#include "arch/x86_64/time.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/panic.h"

#define PIT_HZ 1193182ull
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND 0x43
#define PIT_GATE 0x61
#define GATE_ON 1
#define GATE_SPEAKER 2
#define GATE_OUT 0x20
#define MEASURE_COUNTS 12000 /* about 10 ms */
#define NS 1000000000ul
#define TRIES 20

/* One moment on all three clocks. */
struct moment {
	uint64_t tsc, width;
	uint32_t pit, apic;
};

static uint64_t tsc_start;
static uint64_t ns_per_tsc;  /* times 2^32; 0: not measured yet */
static uint64_t apic_per_ns; /* times 2^32 */

static uint64_t scale(uint64_t v, uint64_t factor)
{
	return (unsigned __int128)v * factor >> 32;
}

/* The narrowest of several readings: what interrupts a reading (another
 * thread of the host, too) makes it wide. */
static struct moment read_moment(void)
{
	struct moment best = { .width = UINT64_MAX };

	for (unsigned i = 0; i < 5; i++) {
		struct moment m;
		uint64_t before = rdtsc();

		outb(PIT_COMMAND, 0x80); /* latch channel 2 */
		m.apic = apic_read(APIC_TIMER_CURRENT);
		m.tsc = rdtsc();
		m.width = m.tsc - before;
		m.pit = inb(PIT_CHANNEL2);
		m.pit |= (uint32_t)inb(PIT_CHANNEL2) << 8;
		if (m.width < best.width)
			best = m;
	}
	return best;
}

/* Lets the PIT count down once from 65535; false when that ran out before
 * the second reading. */
static bool measure(struct moment *a, struct moment *b)
{
	uint8_t gate = inb(PIT_GATE) & ~(GATE_SPEAKER | GATE_ON);

	outb(PIT_GATE, gate);
	outb(PIT_COMMAND, 0xb0); /* channel 2, mode 0, 16 bits */
	outb(PIT_CHANNEL2, 0xff);
	outb(PIT_CHANNEL2, 0xff);
	apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
	outb(PIT_GATE, gate | GATE_ON);
	*a = read_moment();
	do {
		cpu_relax();
		*b = read_moment();
	} while (a->pit - b->pit < MEASURE_COUNTS &&
		 !(inb(PIT_GATE) & GATE_OUT));
	return !(inb(PIT_GATE) & GATE_OUT) && a->pit > b->pit &&
	       b->tsc > a->tsc && a->apic > b->apic;
}

void time_init(void)
{
	struct moment a, b;
	uint64_t ns;
	unsigned tries = 0;

	tsc_start = rdtsc();
	while (!measure(&a, &b))
		if (++tries == TRIES)
			panic("time: the PIT does not count");
	apic_write(APIC_TIMER_INITIAL, 0);
	ns = (a.pit - b.pit) * NS / PIT_HZ;
	apic_per_ns = ((uint64_t)(a.apic - b.apic) << 32) / ns;
	__atomic_store_n(&ns_per_tsc, (ns << 32) / (b.tsc - a.tsc),
			 __ATOMIC_RELEASE);
	kprintf("time: TSC %lu MHz, APIC timer %lu kHz\n",
		(b.tsc - a.tsc) * 1000 / ns,
		(a.apic - b.apic) * 1000000ul / ns);
}

uint64_t time_ns(void)
{
	uint64_t factor = __atomic_load_n(&ns_per_tsc, __ATOMIC_ACQUIRE);
	uint64_t tsc = rdtsc();

	return factor && tsc > tsc_start ? scale(tsc - tsc_start, factor) : 0;
}

uint64_t time_of_ticks(uint64_t tsc)
{
	return scale(tsc, ns_per_tsc);
}

void timer_oneshot_ns(uint64_t delta)
{
	uint64_t count = scale(delta, apic_per_ns);

	if (count > UINT32_MAX)
		count = UINT32_MAX;
	apic_write(APIC_TIMER_INITIAL, count ? count : 1);
}
