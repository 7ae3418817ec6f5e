/*
 * ksyms.c - from an address to the function that holds it.
 *
 * The table is sorted by address. It comes from ksyms.sh at the second link;
 * ksyms_none.c stands in for it at the first.
 */
#include "arch/x86_64/panic.h"

#include <stddef.h>

#define FARTHEST 0x10000 /* no function is longer */

extern const uint32_t ksyms_count;
extern const uint64_t ksyms_address[];
extern const uint32_t ksyms_name[];
extern const char ksyms_text[];

const char *ksym_name(uint64_t addr, uint64_t *offset)
{
	size_t low = 0, high = ksyms_count;

	*offset = 0;
	/* The first entry above addr. */
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (ksyms_address[mid] <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || addr - ksyms_address[low - 1] >= FARTHEST)
		return "?";
	*offset = addr - ksyms_address[low - 1];
	return ksyms_text + ksyms_name[low - 1];
}
