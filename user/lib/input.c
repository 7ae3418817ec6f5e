/*
 * input.c - bytes and lines from the console, a pipe, or a file.
 *
 * Data: bytes read but not used; for the console the notification that says
 * that there are more. For one thread of a task.
 */
#include <stdlib.h>
#include <string.h>

#include "user/lib/console.h"
#include "user/lib/lineedit.h"
#include "user/lib/names.h"
#include "user/lib/pipe.h"
#include "user/lib/stream.h"

static unsigned char bytes[4096];
static size_t used, filled;
static handle_t ntfn; /* 0: not given to the console yet */
static struct pipe_end pipe; /* ring NULL: not opened yet */
static const unsigned char *file; /* the mapping; NULL: not there yet */
static uint64_t file_at;

/* The console may signal `which` from now on. 0, or an error. */
static long subscribe(enum console_request label, handle_t which)
{
	struct weir_msg m = { .label = label };

	return startup->console ? server_call(startup->console, &m, which,
					      WEIR_R_WRITE) : -WEIR_ENOSYS;
}

long in_break(handle_t which)
{
	return subscribe(CONSOLE_BREAK, which);
}

/* Makes the notification of this file, before the first read. */
static void console_begin(void)
{
	long own = sys_ntfn_create();

	if (own < 0)
		return;
	if (subscribe(CONSOLE_INPUT, (handle_t)own) == 0)
		ntfn = (handle_t)own;
	else
		sys_handle_close((handle_t)own);
}

static long console_read(void *to, size_t size, enum console_mode mode)
{
	struct weir_msg m;
	long error;

	if (!ntfn)
		console_begin();
	if (!ntfn)
		return 0;
	if (size > CONSOLE_READ_MAX)
		size = CONSOLE_READ_MAX;
	for (;;) {
		m = (struct weir_msg){ .label = CONSOLE_READ,
				       .w = { size, mode } };
		error = server_call(startup->console, &m, 0, 0);
		if (error < 0 || m.w[0] == CONSOLE_EOF)
			return 0;
		if (m.w[0] > 0 && m.w[0] <= size)
			break;
		if (sys_ntfn_wait(ntfn, 1, 0, NULL) < 0)
			return 0;
	}
	memcpy(to, &m.w[1], m.w[0]);
	return (long)m.w[0];
}

/* A file that is mapped: its bytes are just there. */
static long file_read(void *to, size_t size)
{
	const struct weir_stream *in = &startup->in;
	uint64_t left = in->size - file_at;

	if (!file && in->size) {
		uint64_t pages = (in->size + WEIR_PAGE_SIZE - 1) /
				 WEIR_PAGE_SIZE;
		long va = sys_mem_map(startup->self, in->handle[0], in->id, 0,
				      pages, WEIR_P_READ);

		if (va < 0)
			return va;
		file = (const unsigned char *)va;
	}
	if (size > left)
		size = left;
	if (size)
		memcpy(to, file + file_at, size);
	file_at += size;
	return (long)size;
}

static long pipe_in(void *to, size_t size)
{
	long error = pipe.ring ? 0 : pipe_open(&pipe, &startup->in);

	return error < 0 ? error : pipe_read(&pipe, to, size);
}

/* What cannot be read is not the end of the input, but of the program. */
static size_t source_read(void *to, size_t size)
{
	long n = 0;

	if (startup->in.kind == STREAM_CONSOLE)
		n = console_read(to, size, CONSOLE_LINES);
	else if (startup->in.kind == STREAM_FILE)
		n = file_read(to, size);
	else if (startup->in.kind == STREAM_PIPE)
		n = pipe_in(to, size);
	if (n < 0) {
		eprintf("input: %s\n", weir_strerror(n));
		exit(STATUS_INPUT);
	}
	return (size_t)n;
}

size_t in_read(void *to, size_t size)
{
	size_t n = filled - used;

	if (n > 0) {
		if (n > size)
			n = size;
		memcpy(to, bytes + used, n);
		used += n;
		return n;
	}
	out_before_input();
	return source_read(to, size);
}

int in_getc(void)
{
	if (used == filled) {
		out_before_input();
		used = 0;
		filled = source_read(bytes, sizeof(bytes));
		if (!filled)
			return -1;
	}
	return bytes[used++];
}

int in_line(char *line, size_t size)
{
	size_t n = 0;
	int c = in_getc();

	if (c < 0)
		return -1;
	for (; c >= 0 && c != '\n'; c = in_getc())
		if (n + 1 < size)
			line[n++] = (char)c;
	line[n] = '\0';
	return (int)n;
}

int readline(const char *prompt, char *line, size_t size,
	     struct history *history)
{
	static unsigned char typed[CONSOLE_READ_MAX];
	static size_t at, have; /* typed ahead stays for the next line */
	enum lineedit_result result = LINE_MORE;
	static struct lineedit edit;

	if (startup->in.kind != STREAM_CONSOLE)
		return in_line(line, size);
	lineedit_start(&edit, line, size, prompt, history, out_write);
	while (result == LINE_MORE) {
		if (at == have) {
			long n;

			out_flush();
			n = console_read(typed, sizeof(typed), CONSOLE_RAW);
			at = 0;
			have = n > 0 ? (size_t)n : 0;
			if (n <= 0)
				return -1;
		}
		result = lineedit_feed(&edit, typed[at++]);
	}
	if (result == LINE_EOF)
		return -1;
	if (history)
		history_add(history, line);
	return (int)strlen(line);
}
