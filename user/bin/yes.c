/* yes [WORD] - says so until nobody listens. */
#include "user/lib/weir_user.h"

int main(int argc, char **argv)
{
	for (;;)
		puts(argc > 1 ? argv[1] : "y");
}
