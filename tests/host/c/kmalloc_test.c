/*
 * kmalloc_test.c - the kernel heap: random sizes, alignment, leaks, misuse;
 * with a word behind the seed: all that under check=poison.
 */
#include <pthread.h>

#include "shim.h"

#include "frame_check.h"

#include "kernel/param.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/reclaim.h"

#define NFRAMES 8192
#define HELD 500

struct params params;
static struct frame descriptors[NFRAMES];

void reclaim_wake(void)
{
}

uint64_t reclaim_usable(void)
{
	return UINT64_MAX;
}

bool reclaim_laundering(void)
{
	return false;
}

struct frame *reclaim_direct(bool impatient)
{
	CHECK(!"kzalloc must not wait");
	return NULL;
}

static uint64_t first_seed;

struct held {
	unsigned char *p;
	size_t size;
	unsigned char tag;
};

static size_t random_size(uint64_t r)
{
	size_t max = r % 8 ? 300 : r / 8 % 8 ? 5000 : 200000;

	return 1 + (r >> 16) % max;
}

static void take(struct held *h, uint64_t r)
{
	h->size = random_size(r);
	h->p = kzalloc(h->size);
	h->tag = r >> 56;
	CHECK(h->p);
	CHECK((uintptr_t)h->p % 16 == 0);
	if (h->size >= 32 && h->size <= 4096 && !(h->size & (h->size - 1)))
		CHECK((uintptr_t)h->p % h->size == 0);
	for (size_t i = 0; i < h->size; i++)
		CHECK(h->p[i] == 0);
	memset(h->p, h->tag, h->size);
}

static void give(struct held *h)
{
	for (size_t i = 0; i < h->size; i++)
		CHECK(h->p[i] == h->tag);
	kfree(h->p);
	h->p = NULL;
}

static void *churn(void *arg)
{
	struct held held[HELD] = { 0 };
	uint64_t rng;

	shim_cpu = (uintptr_t)arg;
	rng = (first_seed + shim_cpu * 7919) | 1;
	for (unsigned step = 0; step < 10000; step++) {
		rng ^= rng << 13;
		rng ^= rng >> 7;
		rng ^= rng << 17;
		struct held *h = &held[rng % HELD];

		if (h->p)
			give(h);
		else
			take(h, rng * 0x9e3779b97f4a7c15ull);
	}
	for (unsigned i = 0; i < HELD; i++)
		if (held[i].p)
			give(&held[i]);
	return NULL;
}

static void test_cpus(unsigned n)
{
	pthread_t t[4];

	shim_cpus = n;
	for (uintptr_t i = 0; i < n; i++)
		CHECK(!pthread_create(&t[i], NULL, churn, (void *)i));
	for (unsigned i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	frame_check();
	/* Not more than one idle frame a class stays behind. */
	CHECK(nr_frames() - nr_free() <= 6);
}

static void free_it(void *p)
{
	kfree(p);
}

static void free_twice(void *arg)
{
	char *other = kzalloc((uintptr_t)arg);
	char *p = kzalloc((uintptr_t)arg);

	kfree(p);
	kfree(p);
	kfree(other);
}

static void test_misuse(void)
{
	char *p = kzalloc(100), *big = kzalloc(9000);
	struct frame *f = frame_alloc(0);

	kfree(NULL);
	CHECK(!kzalloc(0) && !kzalloc(KMALLOC_MAX + 1) && !kzalloc(SIZE_MAX));
	expect_panic(free_twice, (void *)40, "freed twice");
	expect_panic(free_twice, (void *)2048, "freed twice");
	expect_panic(free_twice, (void *)9000, "freed already");
	expect_panic(free_it, p + 16, "inside a piece");
	expect_panic(free_it, big + 16, "inside a block");
	expect_panic(free_it, big + 4096, "not from kzalloc");
	expect_panic(free_it, frame_kva(f), "not from kzalloc");
	kfree(p);
	kfree(big);
	frame_free(f);
}

static void alloc_it(void *size)
{
	kzalloc((uintptr_t)size);
}

/* A store through a pointer that was given back. */
static void test_poison(void)
{
	static const uintptr_t sizes[] = { 40, 500, 2048, 9000 };

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		char *other = kzalloc(sizes[i]), *p = kzalloc(sizes[i]);

		kfree(p);
		p[shim_random() % sizes[i]] ^= 1;
		expect_panic(alloc_it, (void *)sizes[i], "P1: frame ");
		expect_panic(alloc_it, (void *)sizes[i], "after it was freed");
		kfree(other);
	}
}

static void test_exhaustion(void)
{
	void *first = NULL, **p;
	unsigned n = 0;

	while ((p = kzalloc(2048))) {
		*p = first;
		first = p;
		n++;
	}
	CHECK(n / 2 > nr_frames() - watermarks.min);
	CHECK(nr_free() >= watermarks.min / 2); /* not the reserve */
	CHECK(!kzalloc(1 << 20));
	while ((p = first)) {
		first = *p;
		kfree(p);
	}
	CHECK(nr_frames() - nr_free() <= 8);
	CHECK((p = kzalloc(KMALLOC_MAX)));
	kfree(p);
}

int main(int argc, char **argv)
{
	first_seed = shim_seed(argc, argv);
	params.check = argc > 2 ? CHECK_POISON : 0;
	frames_setup(descriptors, NFRAMES);
	frames_add(1, NFRAMES);
	test_cpus(1);
	test_misuse();
	test_exhaustion();
	test_cpus(4);
	if (params.check)
		test_poison();
	return 0;
}
