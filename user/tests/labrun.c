/*
 * labrun NONCE ID PROGRAM [ARGUMENT...] - runs a lab's test, and vouches for
 * what came of it.
 *
 * It writes records (docs/protocol.md) that carry the nonce of this boot, a
 * number that grows, and a keyed hash, whose key is made with the build. What
 * the program prints is none, so nothing that is printed can be a verdict.
 * What failed and how many parts are right is in a page that the program
 * shares (check.h): it is read when the program has ended, however that was.
 * The exit status is the program's, or 1: a CHECK failed and the program did
 * not say so.
 */
#include <labkey.h> /* the build makes it */
#include <stdio.h>
#include <string.h>

#include "user/tests/check.h"
#include "user/tests/labrun/siphash.h"

#define RECORD_MAX 512u

static const uint64_t key[2] = LAB_KEY;
static const char *nonce;
static unsigned number;

static void record(const char *kind, const char *rest)
{
	char text[RECORD_MAX];
	int n = snprintf(text, RECORD_MAX - 20, "lab %s %u %s %s", nonce,
			 number++, kind, rest);

	if (n >= (int)RECORD_MAX - 20)
		n = RECORD_MAX - 21;
	n += sprintf(text + n, " %016llx",
		     (unsigned long long)siphash(key, text, (size_t)n));
	sys_report(WEIR_REPORT_NOTE, text, (size_t)n);
}

/* The page may hold anything: the kernel under test has it, too. */
static void record_fail(const char *from)
{
	char text[BOARD_TEXT + 1] = { 0 };

	memcpy(text, from, BOARD_TEXT);
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	record("fail", text);
}

static void record_end(const struct board *b, int status)
{
	char text[64];

	for (unsigned i = 0; i < BOARD_FAILS; i++)
		if (__atomic_load_n(&b->fail[i].whole, __ATOMIC_ACQUIRE))
			record_fail(b->fail[i].text);
	snprintf(text, sizeof(text), "%u %u", b->parts_good, b->parts_all);
	if (b->parts_all && b->parts_good <= b->parts_all)
		record("part", text);
	snprintf(text, sizeof(text), "%s %d %u",
		 status || b->failed ? "failed" : "ok", status, b->failed);
	record("end", text);
}

int main(int argc, char **argv)
{
	struct spawn_options options = { .privileged = true };
	struct child child;
	struct board *b;
	int status = 0;

	if (argc < 4) {
		printf("usage: labrun NONCE ID PROGRAM [ARGUMENT...]\n");
		return STATUS_USAGE;
	}
	nonce = argv[1];
	record("begin", argv[2]);
	b = pages_map(1, &options.extra[BOARD_SLOT]);
	if (b) /* do new pages of this kernel hold zeros? */
		memset(b, 0, sizeof(*b));
	if (!b || spawn(argv[3], argv + 3, &options, &child) < 0) {
		printf("labrun: cannot start %s\n", b ? spawn_error() :
		       "anything: out of memory");
		record("end", "failed 96 0");
		return STATUS_START;
	}
	if (child_wait(&child, &status) < 0)
		status = STATUS_OTHER;
	record_end(b, status);
	return status ? status : b->failed != 0;
}
