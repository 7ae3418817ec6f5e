/* umount PATH - ends a mount; not while one of its files is open. */
#include "user/lib/fs.h"

int main(int argc, char **argv)
{
	long error;

	if (argc != 2) {
		eprintf("usage: umount PATH\n");
		return STATUS_USAGE;
	}
	error = fs_umount(argv[1]);
	if (error < 0)
		eprintf("umount: %s: %s\n", argv[1],
			error == -WEIR_EBUSY ? "a file of it is in use"
					     : fs_strerror(error));
	return error < 0;
}
