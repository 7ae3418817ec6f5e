/* head [-n N] - the first N lines of its input (10). */
#include <stdlib.h>
#include <string.h>

#include "user/lib/stream.h"

int main(int argc, char **argv)
{
	char *end = "";
	unsigned long n = argc == 3 ? strtoul(argv[2], &end, 10) : 10;
	int c;

	if ((argc != 1 && argc != 3) || *end ||
	    (argc == 3 && (strcmp(argv[1], "-n") != 0 || !*argv[2]))) {
		eprintf("usage: head [-n N]\n");
		return STATUS_USAGE;
	}
	while (n > 0 && (c = in_getc()) >= 0) {
		putchar(c);
		n -= c == '\n';
	}
	return 0;
}
