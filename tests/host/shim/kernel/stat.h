/* Host stand-in: see shim.h. */
#pragma once
#include <stdint.h>
#include "kernel/abi/weir.h"
extern uint64_t shim_stats[];
static inline uint64_t stat_sum(enum weir_counter c)
{
	return __atomic_load_n(&shim_stats[c], __ATOMIC_RELAXED);
}
static inline void stat_add(enum weir_counter c, uint64_t n)
{
	__atomic_add_fetch(&shim_stats[c], n, __ATOMIC_RELAXED);
}
