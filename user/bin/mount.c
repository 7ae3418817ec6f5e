/* mount DISK PATH - the tar archive of a disk (its serial, or its index: see
 * disks) becomes the folder PATH, which is only to be read. */
#include "user/lib/fs.h"

int main(int argc, char **argv)
{
	char why[FS_PATH_BYTES];
	long error;

	if (argc != 3) {
		eprintf("usage: mount DISK PATH\n");
		return STATUS_USAGE;
	}
	error = fs_mount(argv[1], argv[2], why);
	if (error == -FS_ARCHIVE)
		eprintf("mount: %s: %s\n", argv[1], why);
	else if (error < 0)
		eprintf("mount: %s: %s\n", argv[2], fs_strerror(error));
	return error < 0;
}
