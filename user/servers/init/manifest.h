/*
 * manifest.h - reads etc/manifest: one service a line.
 *
 *   NAME PROGRAM WORD...     # starts a comment; docs/userspace.md: the words
 *
 * Pure: no system calls, no allocation; also built on the host, by tests.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SERVICES_MAX 12
#define SERVICE_NAME_BYTES 16
#define SERVICE_PROGRAM_BYTES 64
#define SERVICE_STATE_MAX 64
#define SERVICE_KEEP_MAX 512
#define SERVICE_PORTS_MAX 2
#define SERVICE_IRQS 16

enum service_flag {
	SERVICE_SYSTEM = 1 << 0,     /* may use the last frames */
	SERVICE_PRIVILEGED = 1 << 1, /* may use sys_ctl */
	SERVICE_INITRD = 1 << 2,     /* the archive */
	SERVICE_CONSOLE = 1 << 3,    /* session 0 of the service `console` */
	SERVICE_NAMES = 1 << 4,      /* the service `names` */
	SERVICE_CONTROL = 1 << 5,    /* may list and kill services */
	SERVICE_OTHERS = 1 << 6,     /* the endpoints of all other services */
	SERVICE_GUEST = 1 << 7,      /* its published endpoint has a badge */
	SERVICE_SESSION = 1 << 8,    /* run= is its command; see init.c */
	SERVICE_PINNED = 1 << 9,     /* its pages stay in memory */
};

enum restart { RESTART_ALWAYS, RESTART_CRASH, RESTART_NEVER };

struct service_line {
	char name[SERVICE_NAME_BYTES], program[SERVICE_PROGRAM_BYTES];
	unsigned flags; /* enum service_flag */
	unsigned state; /* pages that outlive it */
	unsigned keep;  /* handles that do */
	unsigned irqs;  /* a bit for each line that it gets */
	struct service_ports {
		unsigned first, count; /* count 0: none */
	} ports[SERVICE_PORTS_MAX];
	enum restart restart;
	unsigned line;  /* its number */
};

struct manifest {
	struct service_line service[SERVICES_MAX];
	unsigned count;
};

/* Reads `size` bytes of text. Each bad line is told to `complain`, with its
 * number and a sentence, and left out. */
void manifest_read(struct manifest *m, const char *text, size_t size,
		   void (*complain)(unsigned line, const char *what));
