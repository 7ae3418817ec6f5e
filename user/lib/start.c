/*
 * start.c - from the first instruction of a program to main, and its end.
 *
 * The first thread starts at _start with the address of its startup page.
 * Nothing here needs anything from libc, so init uses it as it is.
 */
#include <stdlib.h>

#include "user/lib/internal.h"
#include "user/lib/stream.h"

extern int main(int argc, char **argv);

struct weir_startup *startup;
static struct tcb main_tcb;
static char *main_argv[WEIR_MAX_ARGS + 1];

void tcb_install(struct tcb *tcb)
{
	tcb->self = tcb;
	sys_thread_ctl(0, WEIR_THREAD_FSBASE, (uintptr_t)tcb);
}

/* The stack may be aligned in any way here. */
__attribute__((force_align_arg_pointer, noreturn, used))
void _start(struct weir_startup *page)
{
	uint32_t argc = page->argc;

	startup = page;
	tcb_install(&main_tcb);
	if (page->magic != WEIR_STARTUP_MAGIC || argc > WEIR_MAX_ARGS)
		exit(STATUS_START);
	for (uint32_t i = 0; i < argc; i++)
		main_argv[i] = (char *)page + page->argv[i];
	exit(main((int)argc, main_argv));
}

/* As a fork: memory is the original's, but the thread and the start-up page
 * are new. */
void start_again(void)
{
	tcb_install(&main_tcb);
}

void exit(int status)
{
	out_flush();
	if (status == 0 && !out_good())
		status = STATUS_OUTPUT;
	sys_task_kill(startup->self, status);
	__builtin_trap(); /* the handle of this task is bad */
}

void abort(void)
{
	printf("aborted\n");
	exit(STATUS_OTHER);
}

/* What assert() of <assert.h> calls. */
void __assert_fail(const char *what, const char *file, int line,
		   const char *function)
{
	printf("%s:%d: %s: assertion failed: %s\n", file, line, function,
	       what);
	exit(STATUS_OTHER);
}

/* What libc's own members call instead of exit. */
void _Exit(int status)
{
	exit(status);
}
