/*
 * server.c - the loop of a server, and what init keeps for it.
 */
#include "user/lib/server.h"

static long keeper(struct weir_msg *m)
{
	handle_t ep = startup->extra[SERVER_KEEPER];
	long error = ep ? sys_ipc_call(ep, m) : -WEIR_ENOSYS;

	if (error < 0)
		return error;
	return m->label ? -(long)m->label : 0;
}

void *server_state(uint64_t pages)
{
	handle_t mem = startup->extra[SERVER_STATE];
	long va;

	if (!mem)
		return pages_map(pages, NULL);
	va = sys_mem_map(startup->self, mem, 0, 0, pages,
			 WEIR_P_READ | WEIR_P_WRITE);
	return va < 0 ? NULL : (void *)va;
}

long keep_put(unsigned slot, handle_t h)
{
	long copy = sys_handle_dup(h, WEIR_R_ALL, 0), error;
	struct weir_msg m = { .label = KEEP_PUT, .w = { slot },
			      .handle = (handle_t)copy };

	if (copy < 0)
		return copy;
	error = keeper(&m);
	if (error < 0)
		sys_handle_close((handle_t)copy);
	return error;
}

handle_t keep_get(unsigned slot)
{
	struct weir_msg m = { .label = KEEP_GET, .w = { slot } };

	return keeper(&m) < 0 ? 0 : m.handle;
}

void keep_drop(unsigned slot)
{
	struct weir_msg m = { .label = KEEP_DROP, .w = { slot } };

	keeper(&m);
}

int server_loop_of(void (*serve)(void *arg, struct weir_msg *m,
				 handle_t *came), void *arg)
{
	handle_t ep = startup->extra[SERVER_EP];
	struct weir_msg m;
	long error = sys_ipc_recv(ep, &m);

	while (error >= 0) {
		handle_t came = m.handle, moved;

		m.handle = 0;
		serve(arg, &m, &came);
		if (came)
			sys_handle_close(came);
		moved = m.handle;
		error = sys_ipc_reply_recv(ep, &m);
		if (error == -WEIR_EHANDLE || error == -WEIR_ERIGHTS) {
			/* The reply's handle was bad: the client is told. */
			m = (struct weir_msg){ .label = WEIR_EIO };
			sys_ipc_reply(&m);
			error = sys_ipc_recv(ep, &m);
		} else if (moved) {
			/* It has moved, unless the client was gone. */
			sys_handle_close(moved);
		}
		/* A client that died while it was served is not ours. */
		if (error == -WEIR_EPEER)
			error = sys_ipc_recv(ep, &m);
	}
	printf("receive: %s\n", weir_strerror(error));
	return 1;
}

/* Without an argument. */
struct plain {
	void (*serve)(struct weir_msg *m, handle_t *came);
};

static void serve_plain(void *arg, struct weir_msg *m, handle_t *came)
{
	((struct plain *)arg)->serve(m, came);
}

int server_loop(void (*serve)(struct weir_msg *m, handle_t *came))
{
	struct plain plain = { serve };

	return server_loop_of(serve_plain, &plain);
}
