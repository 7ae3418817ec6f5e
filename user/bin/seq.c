/* seq [FROM] TO - the numbers, one a line. */
#include <stdlib.h>

#include "user/lib/weir_user.h"

int main(int argc, char **argv)
{
	char *end = "", *end2 = "";
	long from = argc == 3 ? strtol(argv[1], &end, 10) : 1;
	long to = argc > 1 ? strtol(argv[argc - 1], &end2, 10) : 0;

	if (argc < 2 || argc > 3 || *end || *end2) {
		eprintf("usage: seq [FROM] TO\n");
		return STATUS_USAGE;
	}
	for (; from <= to; from++)
		printf("%ld\n", from);
	return 0;
}
