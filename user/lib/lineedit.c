/*
 * lineedit.c - a line editor as a state machine. See lineedit.h.
 *
 * Typing at the end of the line sends just the byte; every other change
 * draws the line again. Lines wider than the terminal are not wrapped well.
 */
#include "user/lib/lineedit.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CTRL(c) ((c) & 0x1f)
#define ESC 0x1b

void history_add(struct history *h, const char *line)
{
	const char *last;

	if (line[0] == '\0')
		return;
	last = h->line[(h->count + HISTORY_LINES - 1) % HISTORY_LINES];
	if (h->count && strcmp(last, line) == 0)
		return;
	snprintf(h->line[h->count % HISTORY_LINES], LINE_MAX_LENGTH, "%s",
		 line);
	h->count++;
}

static void emit_text(struct lineedit *e, const char *text)
{
	e->emit(text, strlen(text));
}

static void redraw(struct lineedit *e)
{
	char move[24];

	emit_text(e, "\r");
	emit_text(e, e->prompt);
	e->emit(e->line, e->length);
	emit_text(e, "\033[K");
	if (e->at < e->length) {
		snprintf(move, sizeof(move), "\033[%zuD", e->length - e->at);
		emit_text(e, move);
	}
}

void lineedit_start(struct lineedit *e, char *line, size_t size,
		    const char *prompt, const struct history *history,
		    void (*emit)(const char *bytes, size_t length))
{
	*e = (struct lineedit){
		.line = line,
		.size = size,
		.prompt = prompt,
		.history = history,
		.emit = emit,
	};
	line[0] = '\0';
	emit_text(e, prompt);
}

static void insert(struct lineedit *e, char c)
{
	if (e->length + 1 >= e->size)
		return;
	memmove(e->line + e->at + 1, e->line + e->at, e->length - e->at + 1);
	e->line[e->at++] = c;
	e->length++;
	if (e->at == e->length)
		e->emit(&c, 1);
	else
		redraw(e);
}

/* Removes [from, to) and leaves the cursor there. */
static void cut(struct lineedit *e, size_t from, size_t to)
{
	if (from == to)
		return;
	memmove(e->line + from, e->line + to, e->length - to + 1);
	e->length -= to - from;
	e->at = from;
	redraw(e);
}

static void move_to(struct lineedit *e, size_t at)
{
	e->at = at;
	redraw(e);
}

/* Where the word before the cursor starts. */
static size_t word_start(const struct lineedit *e)
{
	size_t at = e->at;

	while (at > 0 && e->line[at - 1] == ' ')
		at--;
	while (at > 0 && e->line[at - 1] != ' ')
		at--;
	return at;
}

/* Shows the line `back` lines ago; 0: the one that was being typed. */
static void recall(struct lineedit *e, unsigned back)
{
	unsigned kept = e->history ? e->history->count : 0;
	const char *text = e->saved;

	if (kept > HISTORY_LINES)
		kept = HISTORY_LINES;
	if (back > kept)
		return;
	if (e->back == 0)
		snprintf(e->saved, sizeof(e->saved), "%s", e->line);
	if (back > 0)
		text = e->history->line[(e->history->count - back) %
					HISTORY_LINES];
	e->back = back;
	snprintf(e->line, e->size, "%s", text);
	e->length = strlen(e->line);
	move_to(e, e->length);
}

/* Keys that both a control character and an escape sequence stand for. */
static void key(struct lineedit *e, unsigned char c)
{
	switch (c) {
	case CTRL('A'):
		move_to(e, 0);
		break;
	case CTRL('B'):
		if (e->at > 0)
			move_to(e, e->at - 1);
		break;
	case CTRL('D'):
		if (e->at < e->length)
			cut(e, e->at, e->at + 1);
		break;
	case CTRL('E'):
		move_to(e, e->length);
		break;
	case CTRL('F'):
		if (e->at < e->length)
			move_to(e, e->at + 1);
		break;
	case CTRL('N'):
		if (e->back > 0)
			recall(e, e->back - 1);
		break;
	case CTRL('P'):
		recall(e, e->back + 1);
		break;
	}
}

/* The control character that does the same as `ESC [ n ~`. */
static unsigned char key_of_number(unsigned n)
{
	switch (n) {
	case 1:
	case 7:
		return CTRL('A');
	case 3:
		return CTRL('D');
	case 4:
	case 8:
		return CTRL('E');
	}
	return 0;
}

/* The control character that does the same as `ESC [ c`. */
static unsigned char key_of_letter(unsigned char c)
{
	switch (c) {
	case 'A':
		return CTRL('P');
	case 'B':
		return CTRL('N');
	case 'C':
		return CTRL('F');
	case 'D':
		return CTRL('B');
	case 'H':
		return CTRL('A');
	case 'F':
		return CTRL('E');
	}
	return 0;
}

/* A byte after ESC; sequences that mean nothing here are swallowed. */
static void escape(struct lineedit *e, unsigned char c)
{
	if (e->escape == ESC) {
		e->escape = c == '[' || c == 'O' ? '[' : 0;
		e->param = 0;
		return;
	}
	if (c >= '0' && c <= '9') {
		e->param = (e->param * 10 + (c - '0')) % 1000;
		return;
	}
	if (c >= 0x20 && c < 0x40)
		return; /* `;` and the like: more follows */
	e->escape = 0;
	key(e, c == '~' ? key_of_number(e->param) : key_of_letter(c));
}

/* Control characters that change the text. */
static void edit(struct lineedit *e, unsigned char c)
{
	switch (c) {
	case CTRL('H'):
	case 0x7f:
		if (e->at > 0)
			cut(e, e->at - 1, e->at);
		break;
	case CTRL('K'):
		cut(e, e->at, e->length);
		break;
	case CTRL('L'):
		emit_text(e, "\033[H\033[2J");
		redraw(e);
		break;
	case CTRL('U'):
		cut(e, 0, e->at);
		break;
	case CTRL('W'):
		cut(e, word_start(e), e->at);
		break;
	case ESC:
		e->escape = ESC;
		break;
	default:
		key(e, c);
	}
}

enum lineedit_result lineedit_feed(struct lineedit *e, unsigned char c)
{
	if (e->escape) {
		escape(e, c);
		return LINE_MORE;
	}
	if (c == '\n' || c == '\r') {
		emit_text(e, "\n");
		return LINE_DONE;
	}
	if (c == CTRL('C')) {
		emit_text(e, "^C\n");
		e->line[0] = '\0';
		e->length = e->at = 0;
		return LINE_DONE;
	}
	if (c == CTRL('D') && e->length == 0)
		return LINE_EOF;
	if (c >= 0x20 && c != 0x7f)
		insert(e, (char)c);
	else
		edit(e, c);
	return LINE_MORE;
}
