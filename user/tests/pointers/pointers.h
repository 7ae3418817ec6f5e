/*
 * pointers.h - what the parts of `pointers` share: the calls (calls.c), the
 * places that a pointer may lead to (places.c), races (races.c), and the
 * arguments that are addresses (addresses.c).
 */
#pragma once

#include <string.h>

#include "kernel/abi/test.h"
#include "user/tests/check.h"

#define PAGE WEIR_PAGE_SIZE
#define READ_WRITE (WEIR_P_READ | WEIR_P_WRITE)
#define NARGS 6u

extern uint64_t seed;
uint64_t random64(void); /* the main thread's */

/* CHECK with the call's name; true: it is so. */
bool expect(bool good, const char *what);
extern const char *subject; /* "klog.text" */

/* --- the calls ------------------------------------------------------------ */
enum use { USE_NONE, USE_READ, USE_WRITTEN };

/* An argument that is a pointer. */
struct target {
	unsigned nr, arg;
	enum use use;
	uint64_t size;  /* bytes that the call reads or writes there */
	bool optional;  /* NULL has a meaning of its own */
	void (*fill)(uint8_t *bytes);       /* what is read there */
	bool (*is_right)(const uint8_t *bytes); /* was that written there? */
	void (*ready)(uint64_t v[NARGS]);   /* the other arguments */
	/* It returned 0 or more: undoes it. False: it did the wrong thing. */
	bool (*undo)(uint64_t v[NARGS], long result);
};
bool calls_setup(void);
/* That argument's, or NULL. */
const struct target *calls_find(unsigned nr, unsigned arg);
/* With the pointer; what it did is undone. */
long call_with(const struct target *t, uint64_t pointer);
/* It succeeded, and did what it should with the bytes at `bytes`. */
bool call_right(const struct target *t, long result, const uint8_t *bytes);
/* False: the kernel holds more handles of ours than before. */
bool calls_end(void);

/* --- places --------------------------------------------------------------- */

/* Two pages of an object, mapped at WINDOW, where the calls are given them,
 * and for good at `alias`. After them is nothing. */
#define WINDOW 0x200000000000ull
#define WINDOW_PAGES 2u
extern uint8_t *alias;
extern handle_t window_mem;
bool places_setup(void);
void window_map(void);
void window_unmap(void);
void window_protect(uint64_t page, uint64_t n, unsigned prot);
/* The same byte, where it is mapped for good. */
uint8_t *in_alias(uint64_t pointer);
/* A pattern in both pages, which nothing else writes. */
void paint(void);
bool painted(uint64_t page, uint64_t n);
void reclaim(uint64_t frames);
/* Has `va`'s page reclaimed. */
bool swap_out(uint64_t va);

/* Each kind of place for that argument; how many kinds. */
unsigned test_places(const struct target *t);

/* --- the rest ------------------------------------------------------------- */

/* While another thread unmaps, protects or reclaims the page; how many kinds
 * of that. */
unsigned test_races(const struct target *t, uint64_t flips);

/* An argument that is an address or a range of them. False: not known. */
bool test_address(unsigned nr, const char *name);
/* Two calls on the same addresses at once. */
void test_address_races(uint64_t rounds);
