/* siphash_test.c - the tags of the first 0, 1, 2, ... bytes of 00 01 02 ...,
 * under the key 00 01 ... 0f: the vectors of the reference implementation. */
#include <stdio.h>

#include "user/tests/labrun/siphash.h"

int main(void)
{
	const uint64_t key[2] = { 0x0706050403020100ull,
				  0x0f0e0d0c0b0a0908ull };
	unsigned char *bytes = (unsigned char[64]){ 0 };

	for (unsigned i = 0; i < 64; i++) {
		bytes[i] = (unsigned char)i;
		printf("%016llx\n",
		       (unsigned long long)siphash(key, bytes, i));
	}
	return 0;
}
