/*
 * output.c - printf and what is under it: the console, a pipe, or a file.
 *
 * Data: two sinks, standard output and (where that is not the console) the
 * console for eprintf. Each has a page, which is sent up to its last newline
 * when a line is complete (console) or the page is full, so that lines of
 * several programs do not mix. A sink's lock is held while its page is sent.
 * Without a console server (init, and servers), or without the memory for a
 * page of the console's, lines go to the kernel's log.
 */
#define _GNU_SOURCE /* memrchr */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/lib/console.h"
#include "user/lib/fs.h"
#include "user/lib/names.h"
#include "user/lib/pipe.h"
#include "user/lib/stream.h"

struct sink {
	struct ulock lock; /* guards all below */
	enum { CLOSED, LOG, CONSOLE, PIPE, FILE_END, NOWHERE } kind;
	char *page;
	handle_t mem; /* of the page */
	size_t filled;
	struct pipe_end pipe;
};

static struct sink out, err;
static char log_line[256];
static bool lost; /* some output did not arrive */

static bool out_is_console(void)
{
	return startup->out.kind == STREAM_CONSOLE;
}

/* The console gets the page; again when it has a new incarnation. */
static long console_open(struct sink *s, bool begins)
{
	struct weir_msg m = { .label = CONSOLE_OPEN, .w = { begins } };

	return server_call(startup->console, &m, s->mem, WEIR_R_READ);
}

static int kind_of(const struct sink *s)
{
	if (s == &err || out_is_console())
		return startup->console ? CONSOLE : LOG;
	if (startup->out.kind == STREAM_PIPE)
		return PIPE;
	return startup->out.kind == STREAM_FILE ? FILE_END : NOWHERE;
}

/* Under the lock, before the first byte. */
static void sink_open(struct sink *s)
{
	long error = 0;

	s->kind = kind_of(s);
	if (s->kind == LOG)
		s->page = log_line;
	else if (s->kind != NOWHERE)
		s->page = pages_map(1, &s->mem);
	if (s->kind == CONSOLE && s->page)
		error = console_open(s, !console_forked);
	if (s->kind == PIPE)
		error = pipe_open(&s->pipe, &startup->out);
	if (s->kind != NOWHERE && (!s->page || error < 0)) {
		if (s->kind != CONSOLE)
			eprintf("output: %s\n", weir_strerror(error < 0 ?
						error : -WEIR_ENOMEM));
		lost |= s == &out;
		s->kind = s->kind == CONSOLE ? LOG : NOWHERE;
		s->page = log_line;
	}
}

/* The kernel's log takes whole lines, without their newline. */
static long flush_to_log(const char *text, size_t length)
{
	if (length && text[length - 1] == '\n')
		length--;
	return sys_klog(text, length);
}

static long send_to_console(struct sink *s, size_t length)
{
	struct weir_msg m = { .label = CONSOLE_WRITE, .w = { length } };
	long error = server_call(startup->console, &m, 0, 0);

	if (error != -WEIR_EPEER || console_open(s, false) < 0)
		return error;
	m = (struct weir_msg){ .label = CONSOLE_WRITE, .w = { length } };
	return server_call(startup->console, &m, 0, 0);
}

/* Sends the first `length` bytes of the page, and keeps the rest. */
static void send_locked(struct sink *s, size_t length)
{
	long error = 0;

	if (length == 0)
		return;
	if (s->kind == LOG)
		flush_to_log(s->page, length);
	else if (s->kind == CONSOLE)
		error = send_to_console(s, length);
	else if (s->kind == PIPE)
		error = pipe_write(&s->pipe, s->page, length);
	else if (s->kind == FILE_END)
		error = fs_append(startup->out.size, s->page, length);
	s->filled -= length;
	memmove(s->page, s->page + length, s->filled);
	if (error == 0)
		return;
	if (s->kind == PIPE && error == -WEIR_EPEER)
		sys_task_kill(startup->self, STATUS_PIPE);
	if (s->kind == PIPE || s->kind == FILE_END) {
		eprintf("output: %s\n", fs_strerror(error));
		sys_task_kill(startup->self, STATUS_OUTPUT);
	}
	lost |= s == &out;
}

/* Sends up to the last newline; a full page, if there is none, as it is. So
 * lines of several writers do not mix. */
static void send_lines(struct sink *s, size_t capacity)
{
	char *end = memrchr(s->page, '\n', s->filled);

	if (end)
		send_locked(s, (size_t)(end - s->page) + 1);
	else if (s->filled == capacity)
		send_locked(s, s->filled);
}

static void sink_write(struct sink *s, const char *bytes, size_t length)
{
	size_t capacity, n;
	bool lines;

	ulock_take(&s->lock);
	if (s->kind == CLOSED)
		sink_open(s);
	capacity = s->kind == LOG ? sizeof(log_line) : CONSOLE_BUFFER;
	lines = s->kind == LOG || s->kind == CONSOLE;
	while (length && s->kind != NOWHERE) {
		const char *end = s->kind == LOG ?
			memchr(bytes, '\n', length) : NULL;

		n = end ? (size_t)(end - bytes) + 1 : length;
		if (n > capacity - s->filled)
			n = capacity - s->filled;
		memcpy(s->page + s->filled, bytes, n);
		s->filled += n;
		bytes += n;
		length -= n;
		if (s->filled == capacity ||
		    (lines && memchr(bytes - n, '\n', n)))
			send_lines(s, capacity);
	}
	ulock_drop(&s->lock);
}

void out_write(const char *bytes, size_t length)
{
	sink_write(&out, bytes, length);
}

void out_flush(void)
{
	ulock_take(&out.lock);
	send_locked(&out, out.filled);
	ulock_drop(&out.lock);
	ulock_take(&err.lock);
	send_locked(&err, err.filled);
	ulock_drop(&err.lock);
}

/* A line that is not complete is a prompt only for who types the answer. On
 * the console another program's output would cut it in two: where input comes
 * in blocks, it waits for its rest. */
void out_before_input(void)
{
	if (out_is_console()) {
		if (startup->in.kind == STREAM_CONSOLE)
			out_flush();
		return;
	}
	ulock_take(&out.lock);
	if (out.kind == PIPE || out.kind == FILE_END)
		send_lines(&out, CONSOLE_BUFFER);
	ulock_drop(&out.lock);
}

bool out_good(void)
{
	return !lost;
}

static int print(struct sink *s, const char *format, va_list ap)
{
	char small[256], *text = small;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), format, ap);
	if (n >= (int)sizeof(small)) {
		text = malloc((size_t)n + 1);
		if (text)
			vsnprintf(text, (size_t)n + 1, format, again);
		else
			n = -1;
	}
	va_end(again);
	if (n > 0)
		sink_write(s, text, (size_t)n);
	if (text != small)
		free(text);
	return n;
}

int vprintf(const char *format, va_list ap)
{
	return print(&out, format, ap);
}

int printf(const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = print(&out, format, ap);
	va_end(ap);
	return n;
}

int eprintf(const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = print(out_is_console() ? &out : &err, format, ap);
	va_end(ap);
	return n;
}

/* One write, so that lines of several threads do not mix. */
int puts(const char *text)
{
	return printf("%s\n", text);
}

int putchar(int c)
{
	char byte = (char)c;

	out_write(&byte, 1);
	return c;
}

void klogf(const char *format, ...)
{
	char text[256];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n >= (int)sizeof(text))
		n = sizeof(text) - 1;
	if (n > 0)
		sys_klog(text, (size_t)n);
}
