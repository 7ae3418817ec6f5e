/* ls [PATH...] - what is in a folder: size and name, folders with a slash. */
#include <string.h>

#include "user/lib/fs.h"

static int list(const char *path)
{
	struct fs_stat each;
	uint64_t place = 0;
	long error = fs_stat(path, &each);

	if (error == 0 && !each.folder) {
		printf("%8llu %s\n", (unsigned long long)each.size, path);
		return 0;
	}
	while (error == 0 && (error = fs_list(path, &place, &each)) == 0)
		printf("%8llu %s%s\n", (unsigned long long)each.size,
		       each.name, each.folder ? "/" : "");
	if (error == -FS_NONE && fs_stat(path, &each) == 0)
		return 0; /* no more, in a folder that is there */
	eprintf("ls: %s: %s\n", path, fs_strerror(error));
	return 1;
}

int main(int argc, char **argv)
{
	int status = 0;

	if (argc == 1)
		return list("/");
	for (int i = 1; i < argc; i++)
		status |= list(argv[i]);
	return status;
}
