/* hello - the smallest program: says where it runs. */
#include "user/lib/weir_user.h"

int main(void)
{
	printf("hello from CPU %d\n", uthread_cpu());
	return 0;
}
