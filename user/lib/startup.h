/*
 * startup.h - what a program gets from who starts it.
 *
 * The kernel knows nothing of this: to it a program is a task with handles.
 */
#pragma once

#include "kernel/abi/weir.h"

/* The page that a new program's first thread gets the address of (RDI).
 * Built by whoever starts the program (spawn.c); init builds its own. */
#define WEIR_STARTUP_MAGIC 0x5745495231ull
#define WEIR_MAX_ARGS 32

/* Where a program's input comes from or its output goes; zeroes: its console
 * session (user/lib/stream.h). */
struct weir_stream {
	uint32_t kind, id;
	handle_t handle[3];
	uint64_t size;
};
struct weir_startup {
	uint64_t magic;
	handle_t self;     /* this task */
	handle_t console;  /* endpoint of the console server, or 0 */
	handle_t initrd;   /* MemObj of the tar archive, readable, or 0 */
	handle_t ports[2]; /* of a driver; of init: [0], all there are */
	handle_t extra[8]; /* what the parent passes by agreement */
	uint64_t initrd_size; /* bytes */
	uint32_t argc;
	uint32_t argv[WEIR_MAX_ARGS]; /* offsets in this page */
	handle_t names;    /* endpoint of the name server, or 0 */
	handle_t control;  /* init's, for privileged programs, or 0 */
	struct weir_stream in, out;
	handle_t irq[16];  /* by line: a driver's; of init: all */
	char strings[];
};
