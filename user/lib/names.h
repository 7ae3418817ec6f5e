/*
 * names.h - the protocol of the name server, and its client.
 *
 * A name of 1 to 31 bytes stands for an endpoint. Who registers one also
 * gives a handle on its own task (MANAGE), by which the server sees whether
 * it lives; a name whose owner died is dropped. What init started is there
 * from the beginning, and belongs to nobody. Names travel in w[1]..w[4].
 */
#pragma once

#include "user/lib/weir_user.h"

#define NAME_BYTES 32u /* with its NUL */
#define NAMES_MAX 32u

/* Labels of requests. The label of a reply is 0, or an enum weir_error:
 * ENOSYS (no such name), EBUSY (it has a living owner), EINVAL (not a name),
 * EFULL (the table). */
enum names_request {
	NAMES_REGISTER = 1, /* name, handle: endpoint; -> w[0]: ticket */
	NAMES_OWNER,        /* w[0]: ticket, handle: the owner's task; the
			     * name is there from now on */
	NAMES_LOOKUP,       /* name -> handle, with the rights registered */
	NAMES_DROP,         /* name, w[0]: ticket */
	NAMES_LIST,         /* w[0]: from which place on -> w[0]: the next
			     * one, name; ENOSYS: no more */
};

/* 0, or -WEIR_E...; *ticket (may be NULL) is for names_drop. `ep` stays the
 * caller's; others get a copy of it with `rights`. */
long names_register(const char *name, handle_t ep, unsigned rights,
		    uint64_t *ticket);
long names_drop(const char *name, uint64_t ticket);
long names_lookup(const char *name); /* a handle, or -WEIR_E... */
/* The name at *place or after; moves *place on. 0, -WEIR_ENOSYS: no more. */
long names_list(uint64_t *place, char name[NAME_BYTES]);

/* A call to a server that init restarts: if it dies before it replies, the
 * next one is asked again. `give`: a handle of which a copy with `rights`
 * goes along; 0: none. 0 with the reply in *m, or -WEIR_E...; a label of the
 * reply that is not 0 is an error, too: -label. */
long server_call(handle_t ep, struct weir_msg *m, handle_t give,
		 unsigned rights);
