/* Host stand-in: see shim.h. */
#pragma once
#include <stdint.h>
#include "kernel/abi/weir.h"
extern uint64_t shim_stats[];
static inline void stat_add(enum weir_counter c, uint64_t n)
{
	__atomic_add_fetch(&shim_stats[c], n, __ATOMIC_RELAXED);
}
