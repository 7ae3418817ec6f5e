/*
 * shell - reads commands and runs programs of the initrd.
 *
 * shell          interactive: line editing, history, `help`, `exit`
 * shell -c TEXT  runs one command and ends with its status (init, for run=)
 *
 * Words are separated by blanks; '...' and "..." keep blanks in a word, and
 * \ takes the next character as it is, but not inside '...'.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/lib/lineedit.h"
#include "user/lib/weir_user.h"

static struct history history;

/* The program that runs, for ctrl-C; 0: none. Under `lock`. */
static handle_t foreground;
static struct ulock lock;

/* Splits `line` in place. The number of words, or -1 with *error set. */
static int split(char *line, char *argv[WEIR_MAX_ARGS + 1],
		 const char **error)
{
	char *from = line, *to = line, quote;
	int argc = 0;

	for (;;) {
		while (*from == ' ' || *from == '\t')
			from++;
		if (!*from)
			break;
		if (argc == WEIR_MAX_ARGS) {
			*error = "too many words";
			return -1;
		}
		argv[argc++] = to;
		quote = 0;
		while (*from && (quote || (*from != ' ' && *from != '\t'))) {
			if (*from == '\\' && quote != '\'' && from[1])
				*to++ = *++from;
			else if (*from == quote)
				quote = 0;
			else if (!quote && (*from == '"' || *from == '\''))
				quote = *from;
			else
				*to++ = *from;
			from++;
		}
		if (quote) {
			*error = "a quote is not closed";
			return -1;
		}
		if (*from)
			from++;
		*to++ = '\0';
	}
	argv[argc] = NULL;
	return argc;
}

static void list_program(const char *name, uint64_t size, void *arg)
{
	int *column = arg;

	(void)size;
	if (strncmp(name, "bin/", 4) != 0)
		return;
	printf("%s%s", *column ? " " : "  ", name + 4);
	*column += (int)strlen(name) - 3;
	if (*column > 60) {
		printf("\n");
		*column = 0;
	}
}

static int help(void)
{
	const char *error;
	int column = 0;

	printf("Commands: help, exit, and these programs:\n");
	error = initrd_each(list_program, &column);
	if (column)
		printf("\n");
	if (error)
		printf("initrd: %s\n", error);
	printf("`demo` compares the TLB policies, `wl` and `lostwrite` put\n"
	       "memory under load, `vmstat` counts, `ps` lists tasks, `ctl`\n"
	       "shows and changes settings, `poweroff` ends it all.\n");
	return 0;
}

static void set_foreground(handle_t task)
{
	ulock_take(&lock);
	foreground = task;
	ulock_drop(&lock);
}

/* A thread: ctrl-C ends the program that runs. */
static void watch_break(void *arg)
{
	handle_t ntfn = *(handle_t *)arg;

	while (sys_ntfn_wait(ntfn, 1, 0, NULL) >= 0) {
		ulock_take(&lock);
		if (foreground)
			sys_task_kill(foreground, STATUS_BREAK);
		ulock_drop(&lock);
	}
}

/* Waits for its end. Its handle is closed only when it is not in the
 * foreground any more, so the watcher kills no other task by mistake. */
static int wait_program(struct child *child)
{
	int status = STATUS_START;
	long copy, error;

	copy = sys_handle_dup(child->task, WEIR_R_ALL, 0);
	set_foreground(copy < 0 ? 0 : (handle_t)copy);
	error = child_wait(child, &status);
	set_foreground(0);
	if (copy > 0)
		sys_handle_close((handle_t)copy);
	if (error < 0)
		printf("shell: wait: %s\n", weir_strerror(error));
	return status < 0 || status > STATUS_OTHER ? STATUS_OTHER : status;
}

static int run_program(char *argv[])
{
	const struct spawn_options options = { .privileged = true };
	struct child child;
	long error;

	error = spawn(argv[0], argv, &options, &child);
	if (error == -WEIR_ENOSYS) {
		printf("%s: no such program; try help\n", argv[0]);
		return STATUS_UNKNOWN;
	}
	if (error < 0) {
		printf("cannot start %s\n", spawn_error());
		return STATUS_START;
	}
	return wait_program(&child);
}

static int run_line(char *line)
{
	char *argv[WEIR_MAX_ARGS + 1];
	const char *error;
	int argc = split(line, argv, &error);

	if (argc < 0) {
		printf("shell: %s\n", error);
		return STATUS_USAGE;
	}
	if (argc == 0)
		return 0;
	if (strcmp(argv[0], "help") == 0)
		return help();
	if (strcmp(argv[0], "exit") == 0)
		exit(argc > 1 ? atoi(argv[1]) : 0);
	return run_program(argv);
}

static void interactive(void)
{
	char line[LINE_MAX_LENGTH];
	handle_t ntfn = in_break();
	int status;

	if (ntfn)
		uthread_start(watch_break, &ntfn, -1);
	printf("\nWeir. `help` lists the commands.\n");
	while (readline("weir> ", line, sizeof(line), &history) >= 0) {
		status = run_line(line);
		if (status)
			printf("[status %d]\n", status);
	}
	printf("\n");
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "-c") == 0)
		return run_line(argv[2]);
	if (argc > 1) {
		printf("usage: shell [-c COMMAND]\n");
		return STATUS_USAGE;
	}
	interactive();
	return 0;
}
