/*
 * exercise.h - what a child of `faults` does: every call that allocates.
 */
#pragma once

#include <stdbool.h>

/* The exercises from EXERCISES on are for a privileged system task. */
#define EXERCISES 5u
#define EXERCISES_ALL 9u
/* This one goes on until it is told. */
#define EXERCISE_STACKS 5u
/* This one is never told: what it asks for, nobody needs. */
#define EXERCISE_AHEAD 8u

/* Makes the calls of exercise number `n` and undoes them; returns how many
 * were told that there is no memory. Anything else but success is a failure
 * (check.h). A fault may end the task instead. */
unsigned exercise(unsigned n);
