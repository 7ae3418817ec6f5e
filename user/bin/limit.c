/*
 * limit [frames=N] [handles=N] [threads=N] COMMAND [ARGS] - runs a program
 * that may have no more than that, with all that it starts. Its exit status
 * is the program's.
 */
#include "user/lib/weir_user.h"

static int usage(void)
{
	eprintf("usage: limit [frames=N] [handles=N] [threads=N] COMMAND "
		"[ARGS]\n");
	return STATUS_USAGE;
}

int main(int argc, char **argv)
{
	struct weir_quota quota = { 0 };
	const struct spawn_options options = {
		.quota = &quota, .privileged = startup->control != 0 };
	struct child child;
	int i, status;
	long error;

	for (i = 1; i < argc; i++)
		if (!arg_u64(argv[i], "frames", &quota.frames) &&
		    !arg_u64(argv[i], "handles", &quota.handles) &&
		    !arg_u64(argv[i], "threads", &quota.threads))
			break;
	if (i == argc)
		return usage();
	error = spawn(argv[i], argv + i, &options, &child);
	if (error == 0)
		error = child_wait(&child, &status);
	if (error == 0)
		return status;
	eprintf("limit: %s\n", spawn_error());
	return error == -WEIR_ENOSYS ? STATUS_UNKNOWN : STATUS_START;
}
