/*
 * stat.h - event counters, one set per CPU, summed when they are read.
 *
 * The list is abi/counters.def. Adding needs no lock: only its own CPU
 * writes a set, with one instruction, so an interrupt cannot split it.
 */
#pragma once

#include "arch/x86_64/cpu.h"
#include "kernel/abi/weir.h"

struct stat_set {
	uint64_t n[WEIR_NCOUNTERS];
} __attribute__((aligned(128)));

extern struct stat_set stat_sets[MAX_CPUS];

/* Adds `n` to counter `c` (WEIR_C_...). Any context, any lock. */
static inline void stat_add(enum weir_counter c, uint64_t n)
{
	__asm__ volatile("addq %1, %0"
			 : "+m"(stat_sets[cpu_id()].n[c]) : "er"(n) : "cc");
}

/* One counter's sum; exact when nothing runs. */
uint64_t stat_sum(enum weir_counter c);
