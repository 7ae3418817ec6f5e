/*
 * screen.c - whose line is on the terminal, and lines being typed.
 */
#include <string.h>

#include "user/servers/console/console.h"

static struct lineedit edit; /* of st->typist, while st->typing */
static bool edit_ready;      /* it is this incarnation's */

/* --- output --------------------------------------------------------------- */
static void send_both(const uint8_t *bytes, size_t length)
{
	if (reporting)
		sys_report(WEIR_REPORT_OUT, bytes, length);
	uart_write(bytes, length);
}

/* Remembers the unfinished line, from its last return on. */
static void remember(uint64_t badge, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n' || bytes[i] == '\r')
			st->shown_length = 0;
		if (bytes[i] != '\n' && st->shown_length < SHOWN)
			st->shown[st->shown_length++] = bytes[i];
		st->unfinished = bytes[i] != '\n';
	}
	st->owner = badge;
}

/* Is the session at a prompt? */
static bool at_prompt(uint64_t badge)
{
	struct session *s = session_of(badge);

	return s && s->waiting && s->group == st->front;
}

void screen_write(struct session *s, const uint8_t *bytes, size_t length,
		  size_t from)
{
	uint8_t saved[SHOWN];
	unsigned saved_length = 0;
	uint64_t other = st->owner;

	if (from == 0 && st->unfinished && other != s->badge) {
		if (at_prompt(other)) {
			saved_length = st->shown_length;
			memcpy(saved, st->shown, saved_length);
		}
		send_both((const uint8_t *)"\n", 1);
	}
	/* In small pieces, so that a crash costs little: what was sent is
	 * not sent again. */
	for (size_t at = from, n; at < length; at += n) {
		n = length - at < 256 ? length - at : 256;
		st->sent = at + n;
		send_both(bytes + at, n);
		remember(s->badge, bytes + at, n);
	}
	if (saved_length && !st->unfinished) {
		uart_write(saved, saved_length);
		remember(other, saved, saved_length);
	}
}

static void echo(const char *bytes, size_t length)
{
	struct session *s = session_of(st->typist);

	if (s)
		screen_write(s, (const uint8_t *)bytes, length, 0);
}

/* --- typed lines ---------------------------------------------------------- */
void screen_forget(struct session *s)
{
	if (st->typist != s->badge)
		return;
	st->typing = st->eof = false;
	st->line_at = st->line_have = 0;
}

/* The line that is being typed is for `s` now. */
static void begin(struct session *s)
{
	static const char none[1];

	if (st->typing && st->typist == s->badge && edit_ready)
		return;
	if (st->typist != s->badge)
		st->typing = st->eof = false;
	st->typist = s->badge;
	if (st->typing) { /* the last incarnation's: its text is in st->line */
		size_t length = strnlen(st->line, LINE_MAX_LENGTH - 1);

		st->line[length] = '\0';
		edit = (struct lineedit){ .line = st->line, .prompt = none,
					  .size = LINE_MAX_LENGTH,
					  .length = length, .at = length,
					  .emit = echo };
	} else {
		lineedit_start(&edit, st->line, LINE_MAX_LENGTH, none, NULL,
			       echo);
	}
	edit_ready = st->typing = true;
	st->line_at = st->line_have = 0;
}

/* Feeds typed bytes into the line until it is complete. */
static void type(struct session *s)
{
	enum lineedit_result result = LINE_MORE;
	int c;

	begin(s);
	while (result == LINE_MORE && (c = ring_take()) >= 0)
		result = lineedit_feed(&edit, (unsigned char)c);
	if (result == LINE_MORE)
		return;
	st->typing = false;
	st->eof = result == LINE_EOF;
	if (result == LINE_DONE) {
		size_t n = strlen(st->line);

		st->line[n] = '\n';
		st->line_at = 0;
		st->line_have = (unsigned)n + 1;
	}
}

size_t screen_read_line(struct session *s, unsigned char *to, size_t max,
			bool *eof)
{
	size_t n;

	if (st->typist != s->badge || st->line_at >= st->line_have)
		type(s);
	*eof = st->eof;
	st->eof = false;
	n = st->line_have - st->line_at;
	if (st->line_at >= st->line_have || st->line_have > sizeof(st->line))
		return 0;
	if (n > max)
		n = max;
	memcpy(to, st->line + st->line_at, n);
	st->line_at += (unsigned)n;
	return n;
}
