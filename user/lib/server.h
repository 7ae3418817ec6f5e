/*
 * server.h - what init gives to a server, and keeps for it.
 *
 * The server's endpoint belongs to init; each incarnation gets the right to
 * receive. What must outlive one is kept by init, too: pages (`state=N` in
 * the manifest) and handles in numbered slots (`keep=N`). A server whose
 * state makes it crash again and again is started with fresh pages, but with
 * what is in its slots: it takes what it can use, and drops the rest.
 * A server first puts the handle, then says in its pages that it is there.
 */
#pragma once

#include "user/lib/weir_user.h"

/* startup->extra of a server. */
enum server_extra {
	SERVER_EP,     /* receive, and call: its endpoint */
	SERVER_KEEPER, /* call: init */
	SERVER_STATE,  /* MemObj: the kept pages */
	SERVER_OTHERS, /* (names) the endpoints that argv[1].. name */
};

/* Labels of requests to init by a server's keeper handle ... */
enum keeper_request {
	KEEP_PUT = 1, /* w[0]: slot, handle */
	KEEP_GET,     /* w[0]: slot -> handle, a copy */
	KEEP_DROP,    /* w[0]: slot */
};
/* ... and by startup->control, which privileged programs have. */
enum control_request {
	CONTROL_LIST = 16, /* w[0]: index -> w[0]: running, w[1]: restarts,
			    * w[2], w[3]: name; EINVAL: no more */
	CONTROL_KILL,      /* w[0], w[1]: name */
};
#define SERVER_NAME_BYTES 16u /* with its NUL; so many fit in two words */

/* The kept pages; zero at first. Without `state=`, pages of its own. NULL:
 * out of memory. */
void *server_state(uint64_t pages);
long keep_put(unsigned slot, handle_t h); /* `h` stays the caller's */
handle_t keep_get(unsigned slot);         /* 0: there is none */
void keep_drop(unsigned slot);

/* Receives, has `serve` make the reply in place, and replies, for ever. The
 * handle that came along is closed after `serve`, unless that set *came to
 * 0; m->handle is what the reply moves. Returns a status. */
int server_loop(void (*serve)(struct weir_msg *m, handle_t *came));
/* The same for one of several threads, with what `serve` knows it by. */
int server_loop_of(void (*serve)(void *arg, struct weir_msg *m,
				 handle_t *came), void *arg);
