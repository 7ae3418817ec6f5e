/*
 * frame_init.h - what frame.c and its neighbours share.
 */
#ifndef MM_FRAME_INIT_H
#define MM_FRAME_INIT_H

#include <stdint.h>

struct frame;

/* Panics unless `f` may be freed now. */
void frame_check_freeable(const struct frame *f);

void frame_wait_init(void);

/* Starts over with `nframes` descriptors, none of them free. */
void frames_setup(struct frame *array, uint64_t nframes);

/* Frees the frames numbered [start, end), and scales the watermarks. */
void frames_add(uint64_t start, uint64_t end);

#endif
