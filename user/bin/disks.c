/* disks - the disks: index, sectors of 512 bytes, serial, whether one may
 * write to it. */
#include "user/lib/blk.h"

int main(void)
{
	struct blk_info info;
	long error;

	for (uint64_t i = 0; (error = blk_info(i, &info)) == 0; i++)
		printf("%llu %10llu %s%s\n", (unsigned long long)i,
		       (unsigned long long)info.sectors, info.serial,
		       info.readonly ? " read-only" : "");
	if (error != -BLK_NONE)
		eprintf("disks: %s\n", blk_strerror(error));
	return error != -BLK_NONE;
}
