/*
 * point.h - named places in the protocol where a test can stop the world's
 * course: see kernel/abi/test.h for their names.
 *
 * A test arms a point, waits until a CPU is held there, does what must not
 * matter then, and lets it go: no window is met by luck. A campaign slows
 * the same points down at random (`delay=SEED:points`).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernel/abi/test.h"

extern uint64_t points_armed; /* atomic: a bit each */

void point_reached(enum weir_point p);

/* Any context, any lock: those of the place stay held meanwhile. */
static inline void point(enum weir_point p)
{
	if (__builtin_expect(points_armed >> p & 1, 0))
		point_reached(p);
}

/* Holds the first CPU (`cpu` of them; -1: any) that comes to the point. */
void point_hold(enum weir_point p, int cpu);
/* Whether a CPU is held there; lets it go, or nobody stop there any more. */
bool point_held(enum weir_point p);
void point_release(enum weir_point p);

/* From now on every CPU that comes to a point of the set pauses at random. */
void point_delay(uint64_t set, uint64_t seed);
