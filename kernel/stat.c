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
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		sum += __atomic_load_n(&stat_sets[cpu].n[c], __ATOMIC_RELAXED);
	return sum;
}

void stat_read(uint64_t *out)
{
	for (unsigned c = 0; c < WEIR_NCOUNTERS; c++)
		out[c] = stat_sum(c);
	out[WEIR_C_nr_free_pages] = nr_free();
}
