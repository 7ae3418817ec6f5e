/* poweroff [STATUS] - switches the machine off. */
#include <stdlib.h>

#include "user/lib/weir_user.h"

int main(int argc, char **argv)
{
	char *end = "";
	unsigned long status = argc > 1 ? strtoul(argv[1], &end, 10) : 0;
	long error;

	if (argc > 2 || *end || (argc > 1 && !*argv[1]) || status > 99) {
		printf("usage: poweroff [STATUS 0..99]\n");
		return STATUS_USAGE;
	}
	error = sys_sys_ctl(WEIR_CTL_POWEROFF, status, 0);
	printf("poweroff: %s\n", weir_strerror(error));
	return 1;
}
