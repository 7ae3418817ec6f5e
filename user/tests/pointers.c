/*
 * pointers.c - every system call that takes a pointer or an address, with
 * every kind of bad one (P6: it costs who asked an error, and nothing else).
 *
 *   pointers [seed=N] [flips=N]
 *
 * The list of arguments comes from abi/syscalls.def: one whose type is a
 * pointer, or whose name says that it is an address, must have a case in
 * pointers/, or this fails. For each there is a line: its name, and how many
 * kinds of places and of races it met. Exit status 1: something was not so.
 */
#include <stdio.h>

#include "user/tests/pointers/pointers.h"

/* Is `type` a pointer, and is what it leads to written? Found out by the
 * compiler: 5 is GCC's class of pointers; `const` is what the conditional
 * operator makes of the two types. */
#define IS_POINTER(type) (__builtin_classify_type((type)0) == 5)
#define POINTER(type) \
	__builtin_choose_expr(IS_POINTER(type), (type)0, (void *)0)
#define USE(type)                                                      \
	(!IS_POINTER(type) ? USE_NONE :                                \
	 _Generic(1 ? POINTER(type) : (void *)1, const void *: USE_READ, \
		  void *: USE_WRITTEN))

struct argument {
	const char *name;
	enum use use;
};

/* Where more registers than C has room for take part, messages travel in
 * them, too, and no pointer reaches the kernel. */
static const struct {
	const char *name;
	struct argument arg[NARGS];
} table[WEIR_NSYSCALLS] = {
#define A0()
#define A2(type, name) { #name, USE(type) }
#define A4(ta, a, ...) A2(ta, a), A2(__VA_ARGS__)
#define A6(ta, a, ...) A2(ta, a), A4(__VA_ARGS__)
#define A8(ta, a, ...) A2(ta, a), A6(__VA_ARGS__)
#define A10(ta, a, ...) A2(ta, a), A8(__VA_ARGS__)
#define A12(ta, a, ...) A2(ta, a), A10(__VA_ARGS__)
#define TAKE(_0, _1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, n, ...) n
#define SYSCALL(nr, name, object, right, ...)                            \
	[nr] = { #name, { TAKE(0, ##__VA_ARGS__, A12, , A10, , A8, , A6, , \
			       A4, , A2, , A0)(__VA_ARGS__) } },
#define SYSCALL_REGS(nr, name, ...) [nr] = { #name, { } },
#include "kernel/abi/syscalls.def"
};

/* Names of arguments that are addresses without being pointers. */
static const char *const addresses[] = { "va", "ip", "sp" };

uint64_t seed = 1;
const char *subject;
static uint64_t rng;

uint64_t random64(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

bool expect(bool good, const char *what)
{
	check(good, what, subject, 0);
	return good;
}

static bool is_address(const char *name)
{
	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++)
		if (strcmp(name, addresses[i]) == 0)
			return true;
	return false;
}

static void test_argument(unsigned nr, unsigned arg, uint64_t flips)
{
	const struct argument *a = &table[nr].arg[arg];
	const struct target *t = calls_find(nr, arg);
	char name[64];

	snprintf(name, sizeof(name), "%s.%s", table[nr].name, a->name);
	subject = name;
	if (a->use != USE_NONE &&
	    expect(t && t->use == a->use, "it has a case")) {
		unsigned places = test_places(t);

		printf("pointers: %s: %u places, %u races\n", name, places,
		       test_races(t, flips));
	}
	if (is_address(a->name) &&
	    expect(test_address(nr, a->name), "it has a case"))
		printf("pointers: %s: address\n", name);
}

int main(int argc, char **argv)
{
	struct weir_system sys;
	uint64_t flips = 20;

	system_read(&sys);
	seed = sys.seed;
	for (int i = 1; i < argc; i++)
		if (!arg_u64(argv[i], "seed", &seed) &&
		    !arg_u64(argv[i], "flips", &flips)) {
			printf("usage: pointers [seed=N] [flips=N]\n");
			return STATUS_USAGE;
		}
	printf("pointers: seed=%llu flips=%llu\n", (unsigned long long)seed,
	       (unsigned long long)flips);
	rng = seed * 0x9e3779b97f4a7c15ull | 1;
	if (!places_setup() || !calls_setup())
		return STATUS_START;
	for (unsigned nr = 0; nr < WEIR_NSYSCALLS; nr++)
		for (unsigned i = 0; i < NARGS && table[nr].arg[i].name; i++)
			test_argument(nr, i, flips);
	subject = "mem_map and mem_unmap";
	test_address_races(flips * 8);
	expect(calls_end(), "no handle is left");
	printf("pointers: %u checks, %u failed\n", checks, failures);
	return failures ? 1 : 0;
}
