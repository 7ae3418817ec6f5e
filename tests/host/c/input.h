/*
 * input.h - a parser's input on the heap, of just its size, so that the
 * address sanitizer sees every read beyond it.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The fuzzer's own mutator, for those of a driver. */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t room)
	__attribute__((weak));

struct input {
	uint8_t *bytes;
	size_t size;
};

static inline struct input input_stdin(void)
{
	struct input in = { malloc(1 << 24), 0 };

	in.size = fread(in.bytes, 1, 1 << 24, stdin);
	in.bytes = realloc(in.bytes, in.size ? in.size : 1);
	return in;
}

static inline struct input input_copy(struct input from, size_t size)
{
	struct input in = { malloc(size ? size : 1), size };

	memcpy(in.bytes, from.bytes, size < from.size ? size : from.size);
	return in;
}

/* Reads every byte, for the sanitizer, and sums them up. */
static inline unsigned long input_touch(const uint8_t *p, uint64_t n)
{
	unsigned long sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += p[i];
	return sum;
}
