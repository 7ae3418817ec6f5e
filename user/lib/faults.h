/*
 * faults.h - faults that the kernel makes on purpose: docs/reliability.md.
 */
#pragma once

#include "user/lib/weir_user.h"

/* Sets points by words NAME:N or NAME:NxTIMES, separated by commas: one time
 * in N it fails, at most TIMES times; N 0: off. NAME is a point's name or its
 * beginning, up to a '-' or the '.'. Returns the first word that is bad (or,
 * in a task that is not privileged, any), from which on nothing was set, else
 * NULL. `own`: what a task asks for (memory, reads) fails
 * in this task, be it a system task, and in no other. */
const char *faults_set(const char *text, bool own);

/* Point number `i`; false: there are not so many. */
bool fault_point(uint64_t i, struct weir_fault_point *out);

/* Faults since boot at the points named so, as above. */
uint64_t faults_injected(const char *name);
