/* Host stand-in: see shim.h. */
#ifndef KERNEL_STAT_H
#define KERNEL_STAT_H
#include <stdint.h>
#include "kernel/abi/weir.h"
extern uint64_t shim_stats[];
static inline void stat_add(enum weir_counter c, uint64_t n)
{
	__atomic_add_fetch(&shim_stats[c], n, __ATOMIC_RELAXED);
}
#endif
