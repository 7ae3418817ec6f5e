/*
 * output.c - printf and what is under it, down to the console server.
 *
 * Data: one page that is shared with the server, and how much of it is
 * filled; both under `lock`, which is held while the page is sent. Without a
 * console server (init, and the server itself) lines go to the kernel's log.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/lib/console.h"
#include "user/lib/weir_user.h"

static struct ulock lock;
static char *page;      /* shared with the server; NULL: not opened yet */
static bool failed;     /* there is no memory for it: output is lost */
static char local[256]; /* the page, where there is no server */
static size_t filled;

static size_t capacity(void)
{
	return startup->console ? CONSOLE_BUFFER : sizeof(local);
}

/* Where output is gathered; NULL: nowhere. */
static char *buffer(void)
{
	struct weir_msg m = { .label = CONSOLE_OPEN };

	if (!startup->console)
		return local;
	if (page || failed)
		return page;
	page = pages_map(1, &m.handle);
	if (!page || sys_ipc_call(startup->console, &m) < 0 || m.label) {
		failed = true;
		page = NULL;
	}
	return page;
}

/* The kernel's log takes whole lines, without their newline. */
static void flush_to_log(const char *text, size_t length)
{
	if (length && text[length - 1] == '\n')
		length--;
	sys_klog(text, length);
}

static void flush_locked(void)
{
	struct weir_msg m = { .label = CONSOLE_WRITE, .w = { filled } };

	if (filled == 0)
		return;
	if (startup->console)
		sys_ipc_call(startup->console, &m);
	else
		flush_to_log(local, filled);
	filled = 0;
}

void out_flush(void)
{
	ulock_take(&lock);
	flush_locked();
	ulock_drop(&lock);
}

void out_write(const char *bytes, size_t length)
{
	char *to;

	ulock_take(&lock);
	to = buffer();
	for (size_t i = 0; to && i < length; i++) {
		to[filled++] = bytes[i];
		if (filled == capacity() ||
		    (bytes[i] == '\n' && !startup->console))
			flush_locked();
	}
	if (to && memchr(bytes, '\n', length))
		flush_locked();
	ulock_drop(&lock);
}

int vprintf(const char *format, va_list ap)
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
		out_write(text, (size_t)n);
	if (text != small)
		free(text);
	return n;
}

int printf(const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vprintf(format, ap);
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

long console_fork(uint64_t *session)
{
	struct weir_msg m = { .label = CONSOLE_FORK };
	long error = sys_ipc_call(startup->console, &m);

	if (error < 0)
		return error;
	if (m.label)
		return -(long)m.label;
	*session = m.w[0];
	return m.handle;
}

void console_drop(uint64_t session)
{
	struct weir_msg m = { .label = CONSOLE_DROP, .w = { session } };

	sys_ipc_call(startup->console, &m);
}
