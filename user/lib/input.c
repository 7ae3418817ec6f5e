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

/* Tells the server how to say that there is input. */
static bool subscribe(void)
{
	struct weir_msg m = { .label = CONSOLE_INPUT };
	long own, copy;

	if (ntfn)
		return true;
	own = sys_ntfn_create();
	if (own < 0)
		return false;
	copy = sys_handle_dup((handle_t)own, WEIR_R_WRITE | WEIR_R_DUP, 0);
	m.handle = copy < 0 ? 0 : (handle_t)copy;
	if (copy < 0 || sys_ipc_call(startup->console, &m) < 0 || m.label) {
		sys_handle_close((handle_t)own);
		return false;
	}
	ntfn = (handle_t)own;
	return true;
}

/* Fills `bytes`; waits. False: there is no console. */
static bool refill(void)
{
	struct weir_msg m;

	if (!startup->console || !subscribe())
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
