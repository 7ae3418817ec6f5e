/*
 * names.c - the client of the name server, and calls that survive a
 * server's restart.
 */
#include <string.h>

#include "user/lib/names.h"

#define TRIES 5

long server_call(handle_t ep, struct weir_msg *m, handle_t give,
		 unsigned rights)
{
	const struct weir_msg request = *m;
	long error = -WEIR_EPEER;

	for (int i = 0; i < TRIES && error == -WEIR_EPEER; i++) {
		*m = request;
		if (give) {
			long copy = sys_handle_dup(give, rights | WEIR_R_DUP,
						   0);

			if (copy < 0)
				return copy;
			m->handle = (handle_t)copy;
		}
		error = sys_ipc_call(ep, m);
		/* Where it did not move it is still ours; else this fails. */
		if (error < 0 && give)
			sys_handle_close(m->handle);
	}
	if (error < 0)
		return error;
	return m->label ? -(long)m->label : 0;
}

/* A request with a name in it. */
static long pack(struct weir_msg *m, enum names_request label,
		 const char *name)
{
	size_t n = strlen(name);

	*m = (struct weir_msg){ .label = label };
	if (n == 0 || n >= NAME_BYTES)
		return -WEIR_EINVAL;
	memcpy(&m->w[1], name, n);
	return startup->names ? 0 : -WEIR_ENOSYS;
}

long names_register(const char *name, handle_t ep, unsigned rights,
		    uint64_t *ticket)
{
	struct weir_msg m;
	uint64_t got;
	long error = pack(&m, NAMES_REGISTER, name);

	if (error == 0)
		error = server_call(startup->names, &m, ep, rights);
	if (error < 0)
		return error;
	got = m.w[0];
	if (ticket)
		*ticket = got;
	m = (struct weir_msg){ .label = NAMES_OWNER, .w = { got } };
	return server_call(startup->names, &m, startup->self, WEIR_R_MANAGE);
}

long names_drop(const char *name, uint64_t ticket)
{
	struct weir_msg m;
	long error = pack(&m, NAMES_DROP, name);

	m.w[0] = ticket;
	return error < 0 ? error : server_call(startup->names, &m, 0, 0);
}

long names_lookup(const char *name)
{
	struct weir_msg m;
	long error = pack(&m, NAMES_LOOKUP, name);

	if (error == 0)
		error = server_call(startup->names, &m, 0, 0);
	return error < 0 ? error : (long)m.handle;
}

long names_list(uint64_t *place, char name[NAME_BYTES])
{
	struct weir_msg m = { .label = NAMES_LIST, .w = { *place } };
	long error = startup->names ? server_call(startup->names, &m, 0, 0)
				    : -WEIR_ENOSYS;

	if (error < 0)
		return error;
	*place = m.w[0];
	memcpy(name, &m.w[1], NAME_BYTES);
	name[NAME_BYTES - 1] = '\0';
	return 0;
}
