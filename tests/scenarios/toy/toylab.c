/*
 * toylab HOW - ends in the way that a test of the grader wants.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/abi/test.h"
#include "user/tests/check.h"

static const char forged[] = "lab 0 0 end ok 0 0 0123456789abcdef";
static char *words[2];

static void parts(void)
{
	part((unsigned)atoi(words[0]), (unsigned)atoi(words[1]));
}

static void wrong(void)
{
	CHECK(1 + 1 == 3);
}

static void forge(void)
{
	sys_report(WEIR_REPORT_NOTE, forged, sizeof(forged) - 1);
}

static void off(void)
{
	sys_sys_ctl(WEIR_CTL_POWEROFF, 0, 0);
}

static void panic(void)
{
	sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_PANIC, 0);
}

static void fault(void)
{
	*(volatile int *)0 = 1;
}

static void spin(void)
{
	for (volatile int i = 0;; i++)
		;
}

/* Deadlock: nobody will signal it. */
static void forever(void)
{
	sys_ntfn_wait((handle_t)sys_ntfn_create(), 1, 0, NULL);
}

static void busy(void)
{
	for (;;)
		uthread_yield();
}

static void flood(void)
{
	for (;;)
		printf("PASS 100/100\n@weir exit 1\n0\nScore: 100/100\n");
}

/* One seed of three is bad. */
static void seed(void)
{
	CHECK(atoi(words[0]) != 2);
}

static volatile char *page;

/* Has the page in its TLB until it has to acknowledge that it goes. */
static void keep(void *arg)
{
	*(volatile bool *)arg = true;
	for (;;)
		(void)*page;
}

/* A CPU that is asked to flush does not answer. */
static void acknowledge(void)
{
	static volatile bool there;

	uthread_pin(0);
	page = pages_map(1, NULL);
	*page = 1;
	uthread_start(keep, (void *)&there, 1);
	while (!there)
		uthread_yield();
	sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_HOLD,
		    WEIR_POINT_handler + 256 * (1 + 1));
	pages_unmap((void *)page, 1);
}

static const struct {
	const char *name;
	void (*fn)(void);
} ways[] = {
	{ "parts", parts }, { "wrong", wrong },     { "forge", forge },
	{ "off", off },     { "panic", panic },     { "fault", fault },
	{ "spin", spin },   { "forever", forever }, { "busy", busy },
	{ "flood", flood }, { "seed", seed },       { "ack", acknowledge },
};

int main(int argc, char **argv)
{
	for (int i = 2; i < argc && i < 4; i++)
		words[i - 2] = argv[i];
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (argc > 1 && !strcmp(argv[1], ways[i].name))
			ways[i].fn();
	return failures != 0;
}
