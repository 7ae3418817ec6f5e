/*
 * stat.c - the event counters' memory and their sums.
 */
#include "kernel/stat.h"

#include "mm/frame.h"

struct stat_set stat_sets[MAX_CPUS];

uint64_t stat_sum(enum weir_counter c)
{
	uint64_t sum = 0;

	/* The fast path counts what it did once: a call and a switch. */
	if (c == WEIR_C_syscalls || c == WEIR_C_ctxt)
		sum = stat_sum(WEIR_C_ipc_fast);
	if (c == WEIR_C_nr_free_pages)
		return nr_free();
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		sum += __atomic_load_n(&stat_sets[cpu].n[c], __ATOMIC_RELAXED);
	return sum;
}
