/*
 * crash HOW - does one forbidden thing, to show what happens then: only this
 * task dies, its parent is told, and the shell prints the fault.
 *
 * `crash panic` asks the kernel for a panic, which nothing outlives, `crash
 * locks` for two spinlocks in the wrong order, which is one.
 */
#include <string.h>

#include "kernel/abi/test.h"
#include "user/lib/weir_user.h"

static volatile int zero;
static const char constant[] = "constant";

static void null(void)
{
	*(volatile int *)0 = 1;
}

static void text(void)
{
	*(volatile char *)(uintptr_t)null = 0;
}

static void rodata(void)
{
	*(volatile char *)constant = 0;
}

static void kernel(void)
{
	(void)*(volatile char *)0xffffffff80100000ull;
}

static void divide(void)
{
	int quotient = 1, rest = 0;

	__asm__ volatile("idivl %2" /* the compiler knows better than 1 / 0 */
			 : "+a"(quotient), "+d"(rest) : "r"(zero));
	zero = quotient;
}

static void privileged(void)
{
	__asm__ volatile("hlt");
}

static void illegal(void)
{
	__asm__ volatile("ud2");
}

/* Code on the stack. */
static void execute(void)
{
	char code[] = { (char)0xc3 };
	void (*fn)(void) = (void (*)(void))(uintptr_t)code;

	__asm__ volatile("" : "+r"(fn) : : "memory");
	fn();
}

static int deeper(int n)
{
	volatile char frame[4096];

	frame[n % 4096] = (char)n;
	return n ? deeper(n + 1) + frame[0] : 0;
}

static void stack(void)
{
	zero = deeper(1);
}

/* Takes memory until there is none, nor swap. */
static void memory(void)
{
	const uint64_t pages = 256;
	char *p;

	while ((p = pages_map(pages, NULL)))
		for (uint64_t i = 0; i < pages; i++)
			p[i * WEIR_PAGE_SIZE] = 1;
	printf("crash: no more address space\n");
}

static void panic(void)
{
	sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_PANIC, 0);
}

static void locks(void)
{
	sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_LOCK_ORDER, 0);
}

static const struct {
	const char *name;
	void (*fn)(void);
} ways[] = {
	{ "null", null },       { "text", text },
	{ "rodata", rodata },   { "kernel", kernel },
	{ "divide", divide },   { "privileged", privileged },
	{ "illegal", illegal }, { "execute", execute },
	{ "stack", stack },     { "memory", memory },
	{ "panic", panic },     { "locks", locks },
};
#define NWAYS (sizeof(ways) / sizeof(ways[0]))

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < NWAYS; i++) {
		if (strcmp(argv[1], ways[i].name) != 0)
			continue;
		ways[i].fn();
		printf("crash: %s: nothing happened\n", argv[1]);
		return 1;
	}
	printf("usage: crash");
	for (size_t i = 0; i < NWAYS; i++)
		printf("%s%s", i ? "|" : " ", ways[i].name);
	printf("\n");
	return STATUS_USAGE;
}
