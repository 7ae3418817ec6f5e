/*
 * parse.h - the shell's grammar, one pipeline at a time.
 *
 *   list:      pipeline { (; | & | && | ||) pipeline }   [; | &]
 *   pipeline:  command { | command }
 *   command:   words and < FILE, > FILE, >> FILE, in any order
 *
 * Words are separated by blanks; '...' and "..." keep blanks in a word, and
 * \ takes the next character as it is, but not inside '...'. $NAME, ${NAME}
 * and $? are replaced, but not inside '...'; what comes out is not split.
 * A # where a word could begin starts a comment. Pure: no system calls.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "user/lib/startup.h"

#define STAGES_MAX 8
#define WORD_ROOM 3072 /* for all words of a pipeline */

struct command {
	int argc;
	char *argv[WEIR_MAX_ARGS + 1];
	char *in, *out; /* NULL: no redirection */
	bool append;
	bool plain;     /* its first word has no quotes and no $ */
};

enum when { RUN_ALWAYS, RUN_IF_OK, RUN_IF_FAILED };

struct pipeline {
	int stages;
	struct command stage[STAGES_MAX];
	bool background;
	enum when when;      /* by the status of the one before */
	size_t from, to;     /* its text */
};

struct parser {
	const char *text;
	size_t at;
	/* The value of a variable; NULL: none. `name` is not terminated. */
	const char *(*value)(const char *name, size_t length);
	enum when next;     /* what stood between this pipeline and the next */
	bool must;          /* a pipeline has to follow: && and || want one */
	const char *error;  /* a sentence, or NULL ... */
	size_t error_at;    /* ... and the offset that it is about */
	char room[WORD_ROOM];
	size_t used;
};

void parse_start(struct parser *p, const char *text,
		 const char *(*value)(const char *name, size_t length));
/* The next pipeline; its words stay until the next call. False at the end,
 * or with p->error set. */
bool parse_next(struct parser *p, struct pipeline *out);
