/* grep [-v] TEXT - the lines of its input that have (-v: have not) TEXT in
 * them, each cut to 1023 bytes. Status 1: none. */
#include <string.h>

#include "user/lib/stream.h"

int main(int argc, char **argv)
{
	bool without = argc > 1 && strcmp(argv[1], "-v") == 0, found = false;
	static char line[1024];

	if (argc != 2 + without) {
		eprintf("usage: grep [-v] TEXT\n");
		return STATUS_USAGE;
	}
	while (in_line(line, sizeof(line)) >= 0) {
		if ((strstr(line, argv[argc - 1]) != NULL) == without)
			continue;
		puts(line);
		found = true;
	}
	return found ? 0 : 1;
}
