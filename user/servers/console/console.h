/*
 * console.h - what the files of the console server share.
 *
 * struct state is kept by init, so that it outlives a crash; handles are
 * kept in slots: 2 * i for the input notification of session i, 2 * i + 1
 * for its ctrl-C. Two threads: the first serves clients, the second takes
 * bytes from the line. `lock` guards the ring and the fields that say so;
 * all else belongs to the first thread.
 */
#pragma once

#include "user/lib/console.h"
#include "user/lib/lineedit.h"
#include "user/lib/server.h"

#define COM1_IRQ 4
#define RING 1024u
#define SHOWN 512u /* of an unfinished line: as much can be shown again */
#define CTRL_C 0x03

struct session {
	bool used;
	uint64_t badge, parent, group;
	bool has_ntfn, has_brk; /* slots that are filled; under `lock` */

	/* Under `lock`. */
	bool waiting; /* it found no input: signal it */
	bool raw;     /* how it read last */
};

struct state {
	uint64_t magic, serial; /* badges are never used twice ... */
	uint64_t first;         /* ... those below are from an older state */
	uint64_t front;         /* the group that reads */
	struct session sessions[CONSOLE_SESSIONS];

	/* The line that is not finished, and whose it is. */
	uint64_t owner;
	bool unfinished;
	unsigned shown_length;
	uint8_t shown[SHOWN];
	/* The page that is being sent, and how much of it was. */
	uint64_t sending;
	uint64_t sent;

	/* Typed lines that nobody read yet, and the one being typed. */
	uint64_t typist; /* the session that it is for */
	bool typing;
	bool eof;
	unsigned line_at, line_have;
	char line[LINE_MAX_LENGTH + 1];

	/* Under `lock`. */
	unsigned ring_in, ring_out; /* ever put in, taken out */
	bool after_cr;
	unsigned char ring[RING];
};
#define STATE_PAGES 3
_Static_assert(sizeof(struct state) <= STATE_PAGES * WEIR_PAGE_SIZE,
	       "does not fit");

extern struct state *st;
extern struct ulock lock;
extern bool reporting; /* output also goes to COM2 */

/* --- uart.c: the line ----------------------------------------------------- */
void uart_init(void);
void uart_write(const uint8_t *bytes, size_t length);
int uart_read(void); /* the next byte of the line; -1: none */

/* --- screen.c: output, and lines that are typed --------------------------- */

/* Output of a session. On the terminal no line has bytes of two: an
 * unfinished one is ended first, and shown again when its owner is at a
 * prompt. `from`: bytes that went out before a crash. */
void screen_write(struct session *s, const uint8_t *bytes, size_t length,
		  size_t from);
/* Input for a session that reads lines: at most `max` bytes in `to`; 0: it
 * is not complete yet, or *eof. */
size_t screen_read_line(struct session *s, unsigned char *to, size_t max,
			bool *eof);
/* The session is over, or its line is given up. */
void screen_forget(struct session *s);

/* --- console.c ------------------------------------------------------------ */
int ring_take(void);       /* -1: empty. Takes `lock` */
struct session *session_of(uint64_t badge); /* NULL: there is none */
