/* cat [FILE...] - copies files, or its input, to its output. */
#include "user/lib/fs.h"
#include "user/lib/stream.h"

static int copy_file(const char *path)
{
	uint64_t size;
	long error;
	const void *data = fs_read_map(path, &size, &error);

	if (error < 0) {
		eprintf("cat: %s: %s\n", path, fs_strerror(error));
		return 1;
	}
	out_write(data, size);
	fs_unmap(data, size);
	return 0;
}

int main(int argc, char **argv)
{
	static char bytes[4096];
	int status = 0;
	size_t n;

	for (int i = 1; i < argc; i++)
		status |= copy_file(argv[i]);
	while (argc == 1 && (n = in_read(bytes, sizeof(bytes))) > 0)
		out_write(bytes, n);
	return status;
}
