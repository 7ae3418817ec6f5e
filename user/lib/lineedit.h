/*
 * lineedit.h - a line editor as a state machine, and its history.
 *
 * Pure: bytes typed go in by lineedit_feed, bytes for the terminal come out
 * through `emit`. Also built on the host, by tests. Keys: left, right, home,
 * end, backspace, delete, up, down, ctrl-A B C D E F H K L N P U W.
 */
#pragma once

#include <stddef.h>

#define HISTORY_LINES 32
#define LINE_MAX_LENGTH 512

struct history {
	char line[HISTORY_LINES][LINE_MAX_LENGTH]; /* a ring */
	unsigned count; /* lines ever added */
};

/* Not empty lines, nor one equal to the last. */
void history_add(struct history *h, const char *line);

enum lineedit_result { LINE_MORE, LINE_DONE, LINE_EOF };

struct lineedit {
	char *line; /* with its NUL */
	size_t size, length, at; /* at: the cursor, 0..length */
	const char *prompt;
	const struct history *history; /* may be NULL */
	unsigned back;  /* lines back in the history; 0: the new line */
	char saved[LINE_MAX_LENGTH]; /* the new line, while back > 0 */
	char escape;    /* 0, or what of an escape sequence was seen */
	unsigned param; /* its number */
	void (*emit)(const char *bytes, size_t length);
};

/* Shows the prompt. size >= 1; lines end up shorter than size. */
void lineedit_start(struct lineedit *e, char *line, size_t size,
		    const char *prompt, const struct history *history,
		    void (*emit)(const char *bytes, size_t length));

/* One byte typed. DONE: the line is complete (empty after ctrl-C). */
enum lineedit_result lineedit_feed(struct lineedit *e, unsigned char c);
