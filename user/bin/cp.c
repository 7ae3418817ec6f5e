/* cp FROM TO - copies a file; TO may be a folder. */
#include <stdio.h>
#include <string.h>

#include "user/lib/fs.h"

int main(int argc, char **argv)
{
	char into[FS_PATH_BYTES];
	struct fs_stat to;
	const char *slash, *target = argc == 3 ? argv[2] : "";
	const void *data;
	uint64_t size, file, old;
	long error;

	if (argc != 3) {
		eprintf("usage: cp FROM TO\n");
		return STATUS_USAGE;
	}
	if (fs_stat(target, &to) == 0 && to.folder) {
		slash = strrchr(argv[1], '/');
		if (snprintf(into, sizeof(into), "%s/%s", target,
			     slash ? slash + 1 : argv[1]) >= (int)FS_PATH_BYTES)
			into[0] = '\0';
		target = into;
	}
	/* What is mapped stays, also if it is the file to be written. */
	data = fs_read_map(argv[1], &size, &error);
	if (error == 0)
		error = fs_open(target, FS_CREATE | FS_EMPTY, &file, &old);
	if (error == 0)
		error = fs_write(file, 0, data, size);
	if (error < 0)
		eprintf("cp: %s to %s: %s\n", argv[1], target,
			fs_strerror(error));
	return error < 0;
}
