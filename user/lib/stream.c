/*
 * stream.c - what a child gets as its input, output and console session.
 */
#include "user/lib/console.h"
#include "user/lib/names.h"
#include "user/lib/pipe.h"
#include "user/lib/stream.h"

bool console_forked;

long console_fork(uint64_t group, uint64_t *session)
{
	struct weir_msg m = { .label = CONSOLE_FORK, .w = { group } };
	long error = server_call(startup->console, &m, 0, 0);

	if (error < 0)
		return error;
	console_forked = true;
	*session = m.w[0];
	return m.handle;
}

void console_drop(uint64_t session)
{
	struct weir_msg m = { .label = CONSOLE_DROP, .w = { session } };

	server_call(startup->console, &m, 0, 0);
}

long console_front(uint64_t session)
{
	struct weir_msg m = { .label = CONSOLE_FRONT, .w = { session } };

	return startup->console ? server_call(startup->console, &m, 0, 0)
				: -WEIR_ENOSYS;
}

long stream_give(handle_t task, const struct weir_stream *from,
		 struct weir_stream *to)
{
	*to = *from;
	for (unsigned i = 0; i < 3; i++) {
		long h = from->handle[i] ? sys_handle_give(task,
							   from->handle[i],
							   WEIR_R_ALL) : 0;

		if (h < 0)
			return h;
		to->handle[i] = (handle_t)h;
	}
	return 0;
}

long stream_inherit(handle_t task, const struct weir_stream *from,
		    struct weir_stream *to, unsigned *id)
{
	struct pipe_end end;
	long error = stream_give(task, from, to);

	*id = 0;
	if (error < 0 || from->kind != STREAM_PIPE)
		return error;
	error = pipe_open(&end, from);
	if (error < 0)
		return error;
	to->id = *id = pipe_id_take(end.ring, from->id);
	pipe_close(&end);
	return *id ? 0 : -WEIR_EFULL;
}

void stream_release(const struct weir_stream *from, unsigned id)
{
	struct pipe_end end;

	if (!id || pipe_open(&end, from) < 0)
		return;
	pipe_id_drop(&end, id);
	pipe_close(&end);
}
