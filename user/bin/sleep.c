/* sleep SECONDS - waits; a fraction is allowed. */
#include <stdlib.h>

#include "user/lib/weir_user.h"

int main(int argc, char **argv)
{
	char *end = "";
	double seconds = argc == 2 ? strtod(argv[1], &end) : -1;

	if (*end || !(seconds >= 0) || seconds > 1e6) {
		eprintf("usage: sleep SECONDS\n");
		return STATUS_USAGE;
	}
	sleep_ns((uint64_t)(seconds * 1e9));
	return 0;
}
