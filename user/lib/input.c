/*
 * input.c - bytes and lines from the console server.
 *
 * Data: bytes read but not used, and the notification that says that there
 * are more. For one thread of a task.
 */
#include <string.h>

#include "user/lib/console.h"
#include "user/lib/lineedit.h"
#include "user/lib/weir_user.h"

static unsigned char bytes[CONSOLE_READ_MAX];
static size_t used, filled;
static handle_t ntfn; /* 0: not given to the server yet */

/* A notification of ours, of which the server has a copy. 0: none. */
static handle_t subscribe(enum console_request label)
{
	struct weir_msg m = { .label = label };
	long own, copy;

	own = sys_ntfn_create();
	if (own < 0)
		return 0;
	copy = sys_handle_dup((handle_t)own, WEIR_R_WRITE | WEIR_R_DUP, 0);
	m.handle = copy < 0 ? 0 : (handle_t)copy;
	if (copy < 0 || sys_ipc_call(startup->console, &m) < 0 || m.label) {
		sys_handle_close((handle_t)own);
		return 0;
	}
	return (handle_t)own;
}

handle_t in_break(void)
{
	return startup->console ? subscribe(CONSOLE_BREAK) : 0;
}

/* Fills `bytes`; waits. False: there is no console. */
static bool refill(void)
{
	struct weir_msg m;

	if (startup->console && !ntfn)
		ntfn = subscribe(CONSOLE_INPUT);
	if (!ntfn)
		return false;
	for (;;) {
		m = (struct weir_msg){ .label = CONSOLE_READ,
				       .w = { CONSOLE_READ_MAX } };
		if (sys_ipc_call(startup->console, &m) < 0 || m.label)
			return false;
		if (m.w[0] > 0 && m.w[0] <= CONSOLE_READ_MAX)
			break;
		if (sys_ntfn_wait(ntfn, 1, 0, NULL) < 0)
			return false;
	}
	memcpy(bytes, &m.w[1], CONSOLE_READ_MAX);
	used = 0;
	filled = m.w[0];
	return true;
}

int in_getc(void)
{
	if (used == filled) {
		out_flush();
		if (!refill())
			return -1;
	}
	return bytes[used++];
}

int readline(const char *prompt, char *line, size_t size,
	     struct history *history)
{
	enum lineedit_result result = LINE_MORE;
	static struct lineedit edit;
	int c;

	lineedit_start(&edit, line, size, prompt, history, out_write);
	while (result == LINE_MORE) {
		c = in_getc();
		if (c < 0)
			return -1;
		result = lineedit_feed(&edit, (unsigned char)c);
	}
	if (result == LINE_EOF)
		return -1;
	if (history)
		history_add(history, line);
	return (int)strlen(line);
}
