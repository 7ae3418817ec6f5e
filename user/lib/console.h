/*
 * console.h - the protocol between programs and the console server.
 *
 * Every client has a session, named by the badge of its endpoint handle.
 * Output goes through one page that the client shares with the server;
 * input comes in the words of replies. Whoever starts a program asks for a
 * session for it (FORK) and ends it (DROP), so that a program that dies
 * leaves nothing behind. Session 0, the unbadged handle, is always there.
 * Sessions outlive the server (server.h): after a restart a client only
 * sends its page again.
 */
#pragma once

#define CONSOLE_BUFFER 4096u /* bytes of the shared page */
#define CONSOLE_READ_MAX 32u /* bytes in one reply to READ: w[1]..w[4] */
#define CONSOLE_EOF ~0ull
#define CONSOLE_SESSIONS 128u
#define CONSOLE_GUEST ~0ull  /* badge of the handle that has a name: it can
			      * only FORK, in a group of its own */

/* Sessions are in groups, named by the badge of their first session; one
 * group is in the foreground, and reads. Ctrl-C goes to the nearest session,
 * from one of the foreground group upwards, that asked for it (BREAK). */

/* Labels of requests. The label of a reply is 0, or an enum weir_error. */
enum console_request {
	CONSOLE_OPEN = 1, /* handle: MemObj of one page, for output; w[0]: not
			   * 0: a program begins, so what the last one of
			   * this session forked, and left, is dropped */
	CONSOLE_INPUT,    /* handle: notification; bit 0: input is there */
	CONSOLE_BREAK,    /* handle: notification; CONSOLE_BROKEN: ctrl-C
			   * was typed */
	CONSOLE_WRITE,    /* w[0]: bytes at the start of the page; EPEER:
			   * no page, OPEN again */
	CONSOLE_READ,     /* w[0]: most bytes, w[1]: enum console_mode; never
			   * waits -> w[0]: bytes, in w[1]..w[4]; after 0
			   * bytes the notification is signalled once.
			   * w[0] CONSOLE_EOF: ctrl-D */
	CONSOLE_FORK,     /* w[0]: group, as below -> w[0]: session, handle:
			   * endpoint for it */
	CONSOLE_DROP,     /* w[0]: a session that this one forked; ends those
			   * forked from it, too */
	CONSOLE_FRONT,    /* w[0]: a session that this one forked, or 0 for
			   * itself: its group gets the foreground. EPERM:
			   * the caller does not have it to give */
};

/* The bit of BREAK's notification. */
#define CONSOLE_BROKEN 2ull

enum console_mode {
	CONSOLE_LINES, /* typed lines, with echo and editing by the server */
	CONSOLE_RAW,   /* bytes as they are typed, up to a newline */
};

/* FORK: the group of the new session. Else: that of this session, which the
 * caller forked. */
#define CONSOLE_SAME_GROUP 0ull
#define CONSOLE_NEW_GROUP ~0ull
