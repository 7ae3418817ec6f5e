/*
 * weir_user.h - the runtime of user programs.
 *
 * A program is one C file with `int main(int argc, char **argv)`; 0..99 is
 * its exit status. It may use musl's headers and what of libc.a makes no
 * system call (snprintf, strtoull, memcpy, qsort, ...), and what is below.
 * Not there: FILE (no fprintf, no stderr), strerror, locales, __thread.
 * Output goes where the parent said (stream.h): to the console a line at a
 * time, to a pipe or a file when a page is full and at the end.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/lib/startup.h"
#include "user/lib/syscall.h"

/* Exit statuses with a meaning of their own (0..99 is all there is). */
enum weir_status {
	STATUS_USAGE = 2,    /* bad arguments */
	STATUS_INPUT = 91,   /* its input could not be read */
	STATUS_KILLED = 92,  /* `kill` of the shell ended the program */
	STATUS_OUTPUT = 93,  /* its output could not be written */
	STATUS_PIPE = 94,    /* nobody reads its output any more */
	STATUS_BREAK = 95,   /* ctrl-C ended the program */
	STATUS_START = 96,   /* the program could not be started */
	STATUS_FAULT = 97,   /* the program was killed by a fault */
	STATUS_UNKNOWN = 98, /* no such program */
	STATUS_OTHER = 99,   /* any status outside 0..99 */
};

/* --- this program --------------------------------------------------------- */
extern struct weir_startup *startup; /* handles that the parent gave */

/* Flushes the output and ends the whole task. */
void exit(int status) __attribute__((noreturn));

const char *weir_strerror(long error); /* of -WEIR_E... or WEIR_E... */

/* --- output and input: stream.h ------------------------------------------- */
int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
int vprintf(const char *format, va_list ap);
int puts(const char *text); /* and a newline */
int putchar(int c);
void out_write(const char *bytes, size_t length);
void out_flush(void); /* reading the console, spawn and exit do it, too */

/* To the console, also where the output is a pipe or a file. */
int eprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line of the kernel's log: where there is no console server (yet). */
void klogf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The next byte of the input; waits. -1: its end. */
int in_getc(void);
/* The next line without its newline, cut to size - 1 bytes. Its length, or
 * -1 at the end of the input. */
int in_line(char *line, size_t size);

/* Ctrl-C sets the bit CONSOLE_BROKEN of that notification from now on. 0, or
 * an error: there is no console. */
long in_break(handle_t ntfn);

/* A line with editing and history, without its newline; where the input is
 * not the console, just a line. Its length, or -1 for ctrl-D on an empty
 * line. The history is the caller's. */
struct history;
int readline(const char *prompt, char *line, size_t size,
	     struct history *history);

/* A private connection to the console for a child; see spawn(). `group` and
 * what front does: console.h. */
long console_fork(uint64_t group, uint64_t *session); /* the child's handle */
void console_drop(uint64_t session);
long console_front(uint64_t session);

/* --- time, counters, settings --------------------------------------------- */
static inline uint64_t now_ns(void)
{
	return (uint64_t)sys_clock();
}
void sleep_ns(uint64_t ns);

struct counters {
	uint64_t v[WEIR_NCOUNTERS]; /* v[WEIR_C_pgfault] ... */
};
void counters_read(struct counters *out);
/* One of them, now. */
uint64_t counter(enum weir_counter c);
/* *out = *now - *before, for the counts; nr_free_pages stays what it is. */
void counters_diff(struct counters *out, const struct counters *now,
		   const struct counters *before);
extern const char *const counter_names[WEIR_NCOUNTERS];

void system_read(struct weir_system *out);
extern const char *const policy_names[WEIR_NPOLICIES];
int policy_by_name(const char *name); /* -1: no such policy */

/* --- arguments ------------------------------------------------------------
 * Words `key=value` as the workloads take them. */
bool arg_u64(const char *arg, const char *key, uint64_t *value);
bool arg_str(const char *arg, const char *key, const char **value);

/* --- memory --------------------------------------------------------------- */
/* Anonymous memory; *mem (may be NULL) gets the handle. NULL: none left. */
void *pages_map(uint64_t pages, handle_t *mem);
void pages_unmap(void *va, uint64_t pages);
void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t size);
void free(void *p);

/* --- threads -------------------------------------------------------------- */
struct uthread; /* opaque */

/* A thread of this task; `cpu` >= 0 pins it there. NULL: out of memory. */
struct uthread *uthread_start(void (*fn)(void *), void *arg, int cpu);
void uthread_join(struct uthread *t); /* waits for its end, and frees it */
int uthread_cpu(void);                /* the CPU that this thread is on */
long uthread_pin(int cpu);            /* the calling thread */
void uthread_yield(void);

/* A lock for short sections: spins, yields. Zero is unlocked. */
struct ulock {
	uint32_t held;
};
void ulock_take(struct ulock *l);
void ulock_drop(struct ulock *l);

/* A barrier for n <= UBARRIER_MAX parties, each with its own id 0..n-1. The
 * state may lie in memory shared by several tasks, each of which has its own
 * struct ubarrier with its own handles on the same notifications. */
#define UBARRIER_MAX 128
struct ubarrier_state {
	uint32_t n, arrived, generation;
};
struct ubarrier {
	struct ubarrier_state *state;
	handle_t ntfn[UBARRIER_MAX / 64];
	struct ubarrier_state own; /* used when no shared state is given */
};
/* `shared` NULL: between threads of this task. 0 or an error. */
long ubarrier_init(struct ubarrier *b, struct ubarrier_state *shared,
		   unsigned n);
void ubarrier_wait(struct ubarrier *b, unsigned id);

/* --- other programs ------------------------------------------------------- */
struct spawn_options {
	bool privileged;      /* may use sys_ctl; only if this task may */
	bool system;          /* may use the last frames; as above */
	bool pinned;          /* its pages stay in memory; if we are system */
	const struct weir_quota *quota; /* limits of its own; NULL: none */
	handle_t extra[8];    /* copies go to the child's startup->extra */
	unsigned rights[8];   /* for the copies; 0 means all */
	handle_t console;     /* given instead of a new session, unless 0 */
	bool no_console;      /* gives none */
	handle_t irq[16], ports[2]; /* as extra, for drivers */
	bool no_initrd;       /* the child cannot start programs */
	handle_t names;       /* instead of this program's own */
	handle_t control;     /* likewise, and without `privileged`, too */
	handle_t fault_ep;    /* its end is told there, by the caller's badge,
			       * instead of in a new child->fault_ep */
	uint64_t group;       /* of its console session; 0: the same */
	bool forkable;        /* keeps what child_fork needs */
	const struct weir_stream *in, *out; /* NULL: this program's own */
};
/* A piece of a program's memory, as spawn mapped it. */
struct child_memory {
	handle_t mem;
	unsigned prot;
	uint64_t va, pages;
};
#define CHILD_MEMORY_MAX 9 /* segments, and the stack */
struct child {
	handle_t task;     /* MANAGE: task_kill, mem_map */
	handle_t fault_ep; /* where its faults and its exit arrive */
	uint64_t session;  /* of the console server; 0: none */
	unsigned in_id, out_id; /* of the streams that it shares with us */
	unsigned nmemory;       /* where options->forkable */
	struct child_memory memory[CHILD_MEMORY_MAX];
	char name[32];
};

/* Starts a program: `path` is that of a file of the file server (of the
 * initrd, where there is no file server), or NAME for /bin/NAME; argv ends
 * with NULL; `options` may be NULL. 0, or -WEIR_E...; then spawn_error() is
 * a sentence about it. -WEIR_ENOSYS: no such program. One thread of a task
 * at a time. */
long spawn(const char *path, char *const argv[],
	   const struct spawn_options *options, struct child *out);
const char *spawn_error(void);

/* Makes a copy of `parent`, which was spawned with `forkable`, as its memory is
 * now: what it may write is cloned, the rest shared. The copy has a start-up
 * page and handles of its own, as spawn would give it with `argv` and
 * `options`; what the program mapped itself stays behind. Its first thread
 * calls fn(arg), two addresses in that program, on the main stack from `sp`
 * down, aligned to 16; fn calls start_again first, and does not return.
 * Whoever runs in the parent should stand still meanwhile. 0 or -WEIR_E... */
void start_again(void);
long child_fork(const struct child *parent, uint64_t fn, uint64_t arg,
		uint64_t sp, char *const argv[],
		const struct spawn_options *options, struct child *out);

/* Waits for its end; prints its fault, if it had one. 0 or -WEIR_E...;
 * *status: its exit status (STATUS_FAULT after a fault). Frees `child`. */
long child_wait(struct child *child, int *status);

/* `m` came from the kernel, of the program `name`: if it tells of a fault, says
 * so on the console; true: it did. Out of memory is told with the exit. */
bool child_fault(const char *name, const struct weir_msg *m);
/* For who has a fault_ep of his own: after the exit message. */
void child_free(struct child *child);

/* Calls fn for each file of the initrd; NULL, or what is wrong with it. */
const char *initrd_each(void (*fn)(const char *name, uint64_t size,
				   void *arg), void *arg);
/* One of them, where it lies. NULL, or why not. */
const char *initrd_file(const char *name, const char **data, uint64_t *size);
