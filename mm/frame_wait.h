/*
 * frame_wait.h - sleeping until somebody's IO on a frame is done. Frames
 * share a few wait queues, so a sleeper looks again when it wakes.
 */
#ifndef MM_FRAME_WAIT_H
#define MM_FRAME_WAIT_H

#include "kernel/sync.h"

struct frame;

/* The queue on which `f`'s waiters sleep. Sleep on it with obj->lock held
 * and given up; wake it after the state was changed under obj->lock. */
struct waitq *frame_waitq(struct frame *f);

void frame_wait_init(void);

#endif
