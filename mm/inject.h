/*
 * inject.h - faults that are made on purpose: docs/reliability.md.
 *
 * Where something may fail stands a point, `if (INJECT("swap-read"))`, and so
 * does each call of an allocator, by itself. All are off until somebody sets
 * them (WEIR_CTL_FAULT; init does so for fault=); an idle point costs a load
 * and a branch.
 */
#pragma once

#include <stdbool.h>

#include "kernel/abi/weir.h"

struct aspace;

/* In a section of its own, so that all can be found. */
struct inject {
	const char *kind, *function; /* its name, and where it is */
	/* Atomic. */
	uint64_t one_in; /* 0: off */
	int64_t left;    /* faults until it goes off */
	uint64_t met;    /* since it was set */
	uint64_t done;   /* faults since boot */
	uint64_t only;   /* whose, of INJECT_TASK: aspace.id; 0: anyone's */
} __attribute__((aligned(64)));

#define INJECT_IF(kind, hit) ({                                         \
	static struct inject p_ __attribute__((section("inject"))) =    \
		{ kind, __func__, 0, 0, 0, 0, 0 };                      \
	__builtin_expect(p_.one_in != 0, false) ? hit : 0; })

/* Not 0, but random: fail. Any context, any lock. */
#define INJECT(kind) INJECT_IF(kind, inject_hit(&p_))
uint64_t inject_hit(struct inject *p);

/* The same for what the current task asks for: a page to be read, memory (with
 * enum frame_flags `flags`). It never fails the kernel's own threads (so not
 * at boot), a system task, or who may use the reserve, but for the task that
 * the point was set for. */
#define INJECT_TASK(kind, flags) INJECT_IF(kind, inject_task(&p_, flags))
bool inject_task(struct inject *p, unsigned flags);

/* Sets point number `i` to a WEIR_FAULT_RATE, perhaps with WEIR_FAULT_OWN: 0,
 * or -WEIR_EINVAL: there is no such point; describe then returns false. */
int inject_set(uint64_t i, uint64_t rate);
bool inject_describe(uint64_t i, struct weir_fault_point *out);
