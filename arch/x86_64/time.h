/*
 * time.h - the clock (TSC) and this CPU's timer (APIC, one shot).
 */
#pragma once

#include <stdint.h>

/* Measures TSC and APIC timer against the PIT: some 10 ms. First CPU, once,
 * after apic_init. */
void time_init(void);

/* Nanoseconds since time_init began; 0 before it has ended. The CPUs agree
 * as far as their TSCs do. Any context. */
uint64_t time_ns(void);

/* As many ns as that number of TSC ticks takes. */
uint64_t time_of_ticks(uint64_t tsc);

/* Makes this CPU's timer interrupt once, after `delta` ns, in place of what was
 * set before; earlier if it cannot count so far (some seconds at least). */
void timer_oneshot_ns(uint64_t delta);
