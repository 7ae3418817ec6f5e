/*
 * internal.h - what the files of user/lib know of each other.
 */
#pragma once

#include <stdint.h>

/* What FS points to in each thread: musl keeps errno in it. The first word
 * is its own address (the ABI of thread-local storage). */
struct tcb {
	struct tcb *self;
	uint8_t musl[1016];
} __attribute__((aligned(64)));

/* Gives the calling thread this TCB. */
void tcb_install(struct tcb *tcb);
