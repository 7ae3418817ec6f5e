/*
 * pipe.h - pipes: a ring in a MemObj, and a notification for each side.
 *
 * Who makes a pipe (the shell) gives its ends to tasks, and says when a side
 * is gone: when the task that it gave it to has ended, and with that all
 * that this one started. So a crash is the same as a return. Each side has a
 * lock for the programs that share it; its word names the holder, and whoever
 * waits for a child's end breaks a lock that the child (or one of its own)
 * held. What a dead writer had not committed was never written.
 */
#pragma once

#include "user/lib/weir_user.h"

#define PIPE_BYTES 16384u /* power of two; what a pipe holds */
#define PIPE_PAGES (1 + PIPE_BYTES / WEIR_PAGE_SIZE)
#define PIPE_IDS 64u      /* ends of one pipe that live at once */

enum pipe_side { PIPE_READER, PIPE_WRITER };

/* The first page; in the memory of all who use the pipe, none of whom is
 * believed by the others. */
struct pipe_ring {
	uint64_t head, tail; /* bytes ever written, ever read */
	uint32_t gone;       /* bit PIPE_READER, PIPE_WRITER: nobody left */
	uint32_t lock[2];    /* 0, or the holder's id, and if one waits */
	uint8_t parent[PIPE_IDS]; /* of each id; 0: free */
	uint8_t bytes[] __attribute__((aligned(4096)));
};

/* One side of a pipe as a program uses it. */
struct pipe_end {
	struct pipe_ring *ring;
	handle_t ntfn[2]; /* bit 0: bytes, or room; bit 1: the lock */
	uint32_t id;
};

/* Makes a pipe: what to give to each side. 0 or an error. */
long pipe_create(struct weir_stream side[2]);
/* Nobody of that side is left. For the maker. */
void pipe_gone(const struct weir_stream side[2], enum pipe_side which);
void pipe_free(struct weir_stream side[2]); /* the maker's handles */

long pipe_open(struct pipe_end *end, const struct weir_stream *stream);
void pipe_close(struct pipe_end *end); /* unmaps; the handles stay */
/* At least one byte, else waits. Bytes; 0: end of file; or an error. */
long pipe_read(struct pipe_end *end, void *to, size_t size);
/* All of it; waits for room. 0; -WEIR_EPEER: nobody will read it. */
long pipe_write(struct pipe_end *end, const void *from, size_t size);

/* An id for a child of `id`; 0: none is free. */
uint32_t pipe_id_take(struct pipe_ring *ring, uint32_t id);
/* The child is over: its id, those of its own, and the locks they held. */
void pipe_id_drop(struct pipe_end *end, uint32_t id);
