/*
 * siphash.c - SipHash-2-4, as its paper has it. Little-endian machines only.
 */
#include "user/tests/labrun/siphash.h"

#include <string.h>

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], unsigned n)
{
	while (n--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static void compress(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	rounds(v, 2);
	v[0] ^= word;
}

uint64_t siphash(const uint64_t key[2], const void *bytes, size_t n)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575ull,
			  key[1] ^ 0x646f72616e646f6dull,
			  key[0] ^ 0x6c7967656e657261ull,
			  key[1] ^ 0x7465646279746573ull };
	const char *at = bytes;
	uint64_t word, last = (uint64_t)n << 56;

	for (; n >= sizeof(word); n -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		compress(v, word);
	}
	word = 0;
	memcpy(&word, at, n);
	compress(v, last | word);
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
