/*
 * stream.h - where a program's input comes from and its output goes.
 *
 * The parent says it in the startup page (struct weir_stream): the console
 * session that every program has, nothing, a pipe, or a file. A program does
 * not see the difference: printf, out_write, in_getc, in_read. eprintf goes
 * to the console in any case.
 *   STREAM_PIPE  handle: ring (MemObj), readers' and writers' notification;
 *                id: this end's in the ring (pipe.h)
 *   STREAM_FILE  out: size is the file's number, appended to through the
 *                file server; in: handle[0] is a MemObj, id the page of it
 *                where the file begins, size its bytes
 */
#pragma once

#include "user/lib/weir_user.h"

enum stream_kind {
	STREAM_CONSOLE,
	STREAM_NONE, /* end of file; output is dropped */
	STREAM_PIPE,
	STREAM_FILE,
};

/* The next bytes, at most `size`; waits for the first. 0: end of file. */
size_t in_read(void *to, size_t size);

/* What input does before it waits: from the console to the console, sends all
 * (a prompt); else the lines that are complete. */
void out_before_input(void);

/* Did this program fork a session? Then its first output is not where it
 * begins (CONSOLE_OPEN). */
extern bool console_forked;

/* False once output was lost: exit() makes that a status of its own. */
bool out_good(void);

/* A copy for a child: *to is what its startup page says, *id what
 * stream_release wants when the child has ended. 0 or an error. */
long stream_inherit(handle_t task, const struct weir_stream *from,
		    struct weir_stream *to, unsigned *id);
void stream_release(const struct weir_stream *from, unsigned id);
/* As it stands, without an id of its own. */
long stream_give(handle_t task, const struct weir_stream *from,
		 struct weir_stream *to);
