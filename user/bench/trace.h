/*
 * trace.h - the order in which one thread touches pages.
 *
 * Integers alone, so that every machine, and tools/weirlib/belady.py, gets
 * the same pages. A trace is written KIND:PAGES, zipf as zipf:PAGES:EIGHTHS:
 *   loop    pages 0, 1, ... and again from 0
 *   turns   half of them so, 8 times, then the other half, and again
 *   random  each as likely
 *   zipf    the k-th of them in proportion to k to the -EIGHTHS/8, 7 or 8;
 *           which page is the k-th is scattered
 * A page number comes from trace_next alone, of the trace and the seed.
 */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum trace_kind {
	TRACE_NONE, TRACE_LOOP, TRACE_TURNS, TRACE_RANDOM, TRACE_ZIPF
};

struct trace {
	enum trace_kind kind;
	uint64_t pages;
	unsigned eighths;
	uint64_t at;   /* loop, turns: touched so far; else the generator's */
	uint64_t *sum; /* zipf: of the weights of the first k + 1 */
};

static inline uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static inline uint64_t rnd(uint64_t *s)
{
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return *s * 0x2545f4914f6cdd1dull;
}

#define TRACE_PAGES (1ull << 20) /* at most */

/* 0: `word` is no trace. */
static int trace_parse(const char *word, struct trace *t)
{
	static const char *const names[] = { [TRACE_LOOP] = "loop:",
					     [TRACE_TURNS] = "turns:",
					     [TRACE_RANDOM] = "random:",
					     [TRACE_ZIPF] = "zipf:" };
	char *end;

	memset(t, 0, sizeof(*t));
	for (unsigned k = TRACE_LOOP; k <= TRACE_ZIPF; k++) {
		size_t n = strlen(names[k]);

		if (strncmp(word, names[k], n))
			continue;
		t->kind = k;
		t->pages = strtoull(word + n, &end, 10);
		if (k == TRACE_ZIPF && *end == ':')
			t->eighths = strtoull(end + 1, NULL, 10);
	}
	return t->pages && t->pages <= TRACE_PAGES &&
	       (t->kind != TRACE_ZIPF || t->eighths == 7 || t->eighths == 8);
}

/* Rounded down; of less than 2 to the 62. */
static uint64_t root(uint64_t n)
{
	uint64_t r = 0;

	for (uint64_t bit = 1ull << 30; bit; bit >>= 1)
		if ((r | bit) * (r | bit) <= n)
			r |= bit;
	return r;
}

/* Of the k-th, from 1: 2 to the 40 by k, or that times k to the 1/8. */
static uint64_t trace_weight(const struct trace *t, uint64_t k)
{
	uint64_t scale = 1ull << 20;

	if (t->eighths == 8)
		return (scale << 20) / k;
	return (root(root(root(k * scale * scale) * scale) * scale) << 20) / k;
}

/* `room`: 8 bytes a page for zipf, else not looked at. */
static void trace_start(struct trace *t, uint64_t seed, uint64_t *room)
{
	uint64_t sum = 0;

	t->at = t->kind < TRACE_RANDOM ? 0 : mix(seed) | 1;
	t->sum = room;
	if (t->kind == TRACE_ZIPF)
		for (uint64_t k = 0; k < t->pages; k++)
			room[k] = sum += trace_weight(t, k + 1);
}

static uint64_t trace_next(struct trace *t)
{
	uint64_t low = 0, high = t->pages - 1, x, half = high / 2 + 1;

	if (t->kind == TRACE_LOOP)
		return t->at++ % t->pages;
	if (t->kind == TRACE_TURNS) {
		x = t->at++;
		return x / (8 * half) % 2 * (t->pages - half) + x % half;
	}
	x = rnd(&t->at);
	if (t->kind == TRACE_RANDOM)
		return (x >> 16) % t->pages;
	x %= t->sum[high];
	while (low < high) { /* the first whose sum is greater than x */
		uint64_t middle = (low + high) / 2;

		if (t->sum[middle] > x)
			high = middle;
		else
			low = middle + 1;
	}
	return low * 2654435761u % t->pages;
}
