/* mv FROM TO - renames; TO may be a folder, to move FROM into. */
#include <stdio.h>
#include <string.h>

#include "user/lib/fs.h"

int main(int argc, char **argv)
{
	char into[FS_PATH_BYTES];
	struct fs_stat to;
	const char *slash, *target = argc == 3 ? argv[2] : "";
	long error;

	if (argc != 3) {
		eprintf("usage: mv FROM TO\n");
		return STATUS_USAGE;
	}
	if (fs_stat(target, &to) == 0 && to.folder) {
		slash = strrchr(argv[1], '/');
		if (snprintf(into, sizeof(into), "%s/%s", target,
			     slash ? slash + 1 : argv[1]) >= (int)FS_PATH_BYTES)
			into[0] = '\0';
		target = into;
	}
	error = fs_rename(argv[1], target);
	if (error < 0)
		eprintf("mv: %s to %s: %s\n", argv[1], target,
			fs_strerror(error));
	return error < 0;
}
