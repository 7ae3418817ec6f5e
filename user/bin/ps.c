/* ps - the tasks: id, name, threads, memory in use, processor time. */
#include "user/lib/weir_user.h"

int main(void)
{
	struct weir_task t;

	printf("%5s %-20s %7s %12s %10s\n", "id", "name", "threads",
	       "resident KiB", "cpu ms");
	for (uint64_t i = 0;
	     sys_sys_info(WEIR_INFO_TASK, i, &t, sizeof(t)) >= 0; i++)
		printf("%5u %-20.31s %7u %12llu %10llu\n", t.id, t.name,
		       t.threads,
		       (unsigned long long)(t.resident * WEIR_PAGE_SIZE >> 10),
		       (unsigned long long)(t.cpu_ns / 1000000));
	return 0;
}
