/* service [kill NAME] - what init started, whether it runs, and how often it
 * was started again; or ends one, to see that. */
#include <string.h>

#include "user/lib/server.h"

static long control(struct weir_msg *m)
{
	long error = startup->control ? sys_ipc_call(startup->control, m)
				      : -WEIR_EPERM;

	return error < 0 ? error : -(long)m->label;
}

int main(int argc, char **argv)
{
	struct weir_msg m;
	long error;

	if (argc == 3 && strcmp(argv[1], "kill") == 0 &&
	    strlen(argv[2]) < SERVER_NAME_BYTES) {
		m = (struct weir_msg){ .label = CONTROL_KILL };
		memcpy(m.w, argv[2], strlen(argv[2]));
		error = control(&m);
		if (error == -WEIR_EINVAL)
			eprintf("service: %s does not run\n", argv[2]);
		else if (error < 0)
			eprintf("service: %s\n", weir_strerror(error));
		return error < 0;
	}
	if (argc != 1) {
		eprintf("usage: service [kill NAME]\n");
		return STATUS_USAGE;
	}
	for (uint64_t i = 0;; i++) {
		m = (struct weir_msg){ .label = CONTROL_LIST, .w = { i } };
		error = control(&m);
		if (error < 0)
			break;
		printf("%-15.15s %-8s %llu restarts\n", (char *)&m.w[2],
		       m.w[0] ? "runs" : "ended", (unsigned long long)m.w[1]);
	}
	return error != -WEIR_EINVAL;
}
