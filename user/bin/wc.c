/* wc - counts the lines, words and bytes of its input. */
#include <ctype.h>

#include "user/lib/stream.h"

int main(void)
{
	unsigned long long lines = 0, words = 0, bytes = 0;
	bool inside = false;
	int c;

	while ((c = in_getc()) >= 0) {
		bytes++;
		lines += c == '\n';
		words += !isspace(c) && !inside;
		inside = !isspace(c);
	}
	printf("%llu %llu %llu\n", lines, words, bytes);
	return 0;
}
