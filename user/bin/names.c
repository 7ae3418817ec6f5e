/* names - what is known to the name server. */
#include "user/lib/names.h"

int main(void)
{
	char name[NAME_BYTES];
	uint64_t place = 0;
	long error;

	while ((error = names_list(&place, name)) == 0)
		printf("%s\n", name);
	if (error == -WEIR_ENOSYS && startup->names)
		return 0;
	eprintf("names: %s\n", weir_strerror(error));
	return 1;
}
