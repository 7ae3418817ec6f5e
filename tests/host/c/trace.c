/* Prints the first pages of a trace: trace KIND:PAGES SEED COUNT */
#include <stdio.h>

#include "user/bench/trace.h"

int main(int argc, char **argv)
{
	struct trace t;
	uint64_t n;

	if (argc != 4 || !trace_parse(argv[1], &t))
		return 2;
	n = strtoull(argv[3], NULL, 10);
	trace_start(&t, strtoull(argv[2], NULL, 10),
		    calloc(t.pages, sizeof(uint64_t)));
	while (n--)
		printf("%llu\n", (unsigned long long)trace_next(&t));
	return 0;
}
