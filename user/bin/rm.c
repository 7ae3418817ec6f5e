/* rm PATH... - removes files and empty folders. */
#include "user/lib/fs.h"

int main(int argc, char **argv)
{
	int status = argc > 1 ? 0 : STATUS_USAGE;

	if (argc == 1)
		eprintf("usage: rm PATH...\n");
	for (int i = 1; i < argc; i++) {
		long error = fs_remove(argv[i]);

		if (error == 0)
			continue;
		eprintf("rm: %s: %s\n", argv[i], fs_strerror(error));
		status = 1;
	}
	return status;
}
