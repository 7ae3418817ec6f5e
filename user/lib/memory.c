/*
 * memory.c - whole pages, and a small malloc.
 *
 * malloc: blocks of 2^k bytes, each kind on a free list, cut from chunks of
 * 64 KiB that are never given back; larger blocks are mappings of their own.
 * Data: the lists and the chunk, under `lock`.
 */
#include <errno.h>
#include <string.h>

#include "user/lib/weir_user.h"

#define CHUNK_PAGES 16u
#define CLASS_MIN 5  /* 32 bytes, header included */
#define CLASS_MAX 13 /* 8 KiB */

/* In front of each block; 16 bytes, so that blocks are aligned. */
struct header {
	uint64_t class; /* 2^class bytes; 0: a mapping of `pages` */
	union {
		uint64_t pages;
		struct header *next; /* while free */
	};
};

static struct ulock lock;
static struct header *free_list[CLASS_MAX + 1];
static char *chunk;
static size_t chunk_left;

void *pages_map(uint64_t pages, handle_t *mem)
{
	long handle = sys_mem_create(pages, 0);
	long va;

	if (handle < 0)
		return NULL;
	va = sys_mem_map(startup->self, (handle_t)handle, 0, 0, pages,
			 WEIR_P_READ | WEIR_P_WRITE);
	if (va < 0 || !mem)
		sys_handle_close((handle_t)handle);
	if (va < 0)
		return NULL;
	if (mem)
		*mem = (handle_t)handle;
	return (void *)va;
}

void pages_unmap(void *va, uint64_t pages)
{
	sys_mem_unmap(startup->self, (uintptr_t)va, pages);
}

static void *large_alloc(size_t size)
{
	uint64_t pages = (size + WEIR_PAGE_SIZE - 1) / WEIR_PAGE_SIZE;
	struct header *h = pages_map(pages, NULL);

	if (!h)
		return NULL;
	h->class = 0;
	h->pages = pages;
	return h + 1;
}

/* A block of 2^class bytes. Under `lock`. */
static struct header *small_alloc(unsigned class)
{
	struct header *h = free_list[class];

	if (h) {
		free_list[class] = h->next;
		return h;
	}
	if (chunk_left < 1ul << class) {
		char *fresh = pages_map(CHUNK_PAGES, NULL);

		if (!fresh)
			return NULL;
		chunk = fresh;
		chunk_left = CHUNK_PAGES * WEIR_PAGE_SIZE;
	}
	h = (void *)chunk;
	chunk += 1ul << class;
	chunk_left -= 1ul << class;
	return h;
}

void *malloc(size_t size)
{
	unsigned class = CLASS_MIN;
	struct header *h;

	if (size > SIZE_MAX / 2) {
		errno = ENOMEM;
		return NULL;
	}
	size += sizeof(*h);
	if (size > 1ul << CLASS_MAX)
		return large_alloc(size);
	while (size > 1ul << class)
		class++;
	ulock_take(&lock);
	h = small_alloc(class);
	ulock_drop(&lock);
	if (!h)
		return NULL;
	h->class = class;
	return h + 1;
}

void free(void *p)
{
	struct header *h = (struct header *)p - 1;

	if (!p)
		return;
	if (h->class == 0) {
		pages_unmap(h, h->pages);
		return;
	}
	ulock_take(&lock);
	h->next = free_list[h->class];
	free_list[h->class] = h;
	ulock_drop(&lock);
}

void *calloc(size_t n, size_t size)
{
	void *p;

	if (size && n > SIZE_MAX / 2 / size)
		return NULL;
	p = malloc(n * size);
	/* Else the compiler sees what this is, and calls calloc. */
	__asm__ volatile("" : "+r"(p));
	return p ? memset(p, 0, n * size) : NULL;
}

static size_t usable(const struct header *h)
{
	return (h->class ? 1ul << h->class : h->pages * WEIR_PAGE_SIZE) -
	       sizeof(*h);
}

void *realloc(void *p, size_t size)
{
	size_t old;
	void *to;

	if (!p)
		return malloc(size);
	old = usable((struct header *)p - 1);
	if (size <= old)
		return p;
	to = malloc(size);
	if (to) {
		memcpy(to, p, old);
		free(p);
	}
	return to;
}
