/*
 * string.c - memory and string functions: what the kernel uses, and what the
 * compiler calls for copies and comparisons of its own.
 */
#include "arch/x86_64/string.h"

#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *d = to;
	size_t words = n / 8;

	__asm__ volatile("rep movsq; mov %3, %%rcx; rep movsb"
			 : "+D"(d), "+S"(from), "+c"(words)
			 : "r"(n % 8) : "memory");
	return to;
}

void *memset(void *to, int c, size_t n)
{
	void *d = to;
	size_t words = n / 8;

	__asm__ volatile("rep stosq; mov %2, %%rcx; rep stosb"
			 : "+D"(d), "+c"(words)
			 : "r"(n % 8), "a"((uint8_t)c * 0x0101010101010101)
			 : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t len = 0;

	while (s[len])
		len++;
	return len;
}

int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return (uint8_t)*a - (uint8_t)*b;
}
