/* vmstat [--json] - the event counters since boot, one `name value` a line,
 * or one JSON object. */
#include <string.h>

#include "user/lib/weir_user.h"

int main(int argc, char **argv)
{
	bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
	struct counters c;

	if (argc > 1 && !json) {
		printf("usage: vmstat [--json]\n");
		return STATUS_USAGE;
	}
	counters_read(&c);
	for (int i = 0; i < WEIR_NCOUNTERS; i++)
		printf(json ? "%s\"%s\": %llu" : "%s%s %llu\n",
		       !json ? "" : i ? ", " : "{", counter_names[i],
		       (unsigned long long)c.v[i]);
	if (json)
		printf("}\n");
	return 0;
}
