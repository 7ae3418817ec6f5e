/*
 * console.h - the protocol between programs and the console server.
 *
 * Every client has a session, named by the badge of its endpoint handle.
 * Output goes through one page that the client shares with the server;
 * input comes in the words of replies. Whoever starts a program asks for a
 * session for it (FORK) and ends it (DROP), so that a program that dies
 * leaves nothing behind. Session 0, the unbadged handle, is always there.
 */
#ifndef USER_CONSOLE_H
#define USER_CONSOLE_H

#define CONSOLE_BUFFER 4096u /* bytes of the shared page */
#define CONSOLE_READ_MAX 32u /* bytes in one reply to READ: w[1]..w[4] */
#define CONSOLE_SESSIONS 128u

/* Labels of requests. The label of a reply is 0, or an enum weir_error. */
enum console_request {
	CONSOLE_OPEN = 1, /* handle: MemObj of one page, for output */
	CONSOLE_INPUT,    /* handle: notification; bit 0: input is there */
	CONSOLE_BREAK,    /* handle: notification; bit 0: ctrl-C was typed */
	CONSOLE_WRITE,    /* w[0]: bytes at the start of the page */
	CONSOLE_READ,     /* never waits -> w[0]: bytes, in w[1]..w[4]; after
			   * 0 bytes the notification is signalled once */
	CONSOLE_FORK,     /* -> w[0]: session, handle: endpoint for it */
	CONSOLE_DROP,     /* w[0]: a session that this one forked; ends those
			   * forked from it, too */
};

#endif
