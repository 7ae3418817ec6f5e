/* sum - a checksum (FNV-1a, 64 bits) and the count of its input's bytes. */
#include "user/lib/stream.h"

int main(void)
{
	static unsigned char bytes[4096];
	uint64_t hash = 0xcbf29ce484222325ull, count = 0;
	size_t n;

	while ((n = in_read(bytes, sizeof(bytes))) > 0) {
		count += n;
		for (size_t i = 0; i < n; i++)
			hash = (hash ^ bytes[i]) * 0x100000001b3ull;
	}
	printf("%016llx %llu\n", (unsigned long long)hash,
	       (unsigned long long)count);
	return 0;
}
