/*
 * frame_wait.c - wait queues for frames, shared by hash.
 */
#include "mm/frame_wait.h"

#include "mm/frame.h"

#define NQUEUES 64u

static struct waitq queues[NQUEUES];

struct waitq *frame_waitq(struct frame *f)
{
	return &queues[frame_pa(f) / 4096 % NQUEUES];
}

void frame_wait_init(void)
{
	for (unsigned i = 0; i < NQUEUES; i++)
		waitq_init(&queues[i]);
}
