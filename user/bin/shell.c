/*
 * shell - reads commands and runs programs.
 *
 * shell                 interactive: line editing, history, jobs
 * shell -c TEXT         runs TEXT and ends with its status (init, for run=)
 * shell FILE [WORD...]  runs a script; the words are $1, $2, ...
 *
 * The grammar is in shell/parse.h; programs that run are in shell/jobs.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/bin/shell/jobs.h"
#include "user/lib/blk.h"
#include "user/lib/fs.h"
#include "user/lib/lineedit.h"
#include "user/lib/stream.h"

#define VARIABLES_MAX 32
#define TEXT_BYTES 64

static struct history history;
static bool typed;            /* a person types the commands */
static int status;            /* $? */
static const char *script;    /* its name; NULL: none */
static unsigned script_line;
static char **words;          /* of the script; words[0] is its name */
static int nwords;

static struct variable {
	char *name, *value;
} variables[VARIABLES_MAX];
static int nvariables;

/* --- variables ------------------------------------------------------------ */
static const char *value_of(const char *name, size_t length)
{
	static char number[16];

	if (*name == '?' || *name == '#') {
		snprintf(number, sizeof(number), "%d",
			 *name == '?' ? status : nwords ? nwords - 1 : 0);
		return number;
	}
	if (*name >= '0' && *name <= '9')
		return *name - '0' < nwords ? words[*name - '0'] : NULL;
	for (int i = 0; i < nvariables; i++)
		if (strlen(variables[i].name) == length &&
		    memcmp(variables[i].name, name, length) == 0)
			return variables[i].value;
	return NULL;
}

/* For the check of a line before it runs: what there is comes out as is. */
static const char *no_value(const char *name, size_t length)
{
	(void)name, (void)length;
	return "x";
}

static char *copy(const char *text, size_t length)
{
	char *to = malloc(length + 1);

	if (!to) {
		eprintf("shell: out of memory\n");
		exit(STATUS_OTHER);
	}
	memcpy(to, text, length);
	to[length] = '\0';
	return to;
}

/* `NAME=value`: the length of the name; 0: it is not that. */
static size_t name_length(const char *word)
{
	size_t n = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
				"abcdefghijklmnopqrstuvwxyz0123456789");

	return n && word[n] == '=' && (*word < '0' || *word > '9') ? n : 0;
}

static int assign(const char *word)
{
	size_t n = name_length(word);
	int i = 0;

	while (i < nvariables && (strlen(variables[i].name) != n ||
				  memcmp(variables[i].name, word, n) != 0))
		i++;
	if (i == VARIABLES_MAX) {
		eprintf("shell: too many variables\n");
		return 1;
	}
	if (i == nvariables)
		variables[nvariables++].name = copy(word, n);
	else
		free(variables[i].value);
	variables[i].value = copy(word + n + 1, strlen(word + n + 1));
	return 0;
}

/* --- commands of the shell itself ----------------------------------------- */
static int help(void)
{
	struct fs_stat each;
	uint64_t place = 0;
	int column = 0;

	printf("Commands: help, exit, jobs, wait, fg, kill, and these "
	       "programs:\n");
	while (fs_list("/bin", &place, &each) == 0) {
		column += printf("%s%s", column ? " " : "  ", each.name);
		if (column > 60) {
			printf("\n");
			column = 0;
		}
	}
	if (column)
		printf("\n");
	printf("a | b   < FILE   > FILE   >> FILE   a; b   a && b   a || b   "
	       "a &\n"
	       "`demo` compares the TLB policies, `wl` and `lostwrite` put\n"
	       "memory under load, `vmstat` counts, `ps` lists tasks, `ctl`\n"
	       "shows and changes settings, `poweroff` ends it all.\n");
	return 0;
}

/* The argument of wait, fg, kill: N or %N. 0: none; -1: not a number. */
static int job_number(const struct command *c)
{
	const char *text = c->argc > 1 ? c->argv[1] : "";
	char *end;
	long n;

	if (!*text)
		return 0;
	n = strtol(text + (*text == '%'), &end, 10);
	return *end || n <= 0 || n > 9999 || c->argc > 2 ? -1 : (int)n;
}

static const char *const builtins[] = {
	"help", "exit", "jobs", "wait", "fg", "kill",
};
enum { HELP, EXIT, JOBS, WAIT, FG, KILL, NBUILTINS };

static int builtin(const char *name)
{
	for (int i = 0; i < NBUILTINS; i++)
		if (strcmp(name, builtins[i]) == 0)
			return i;
	return -1;
}

static int run_builtin(int which, const struct command *c)
{
	int number = which == EXIT ? 0 : job_number(c);

	if (which == EXIT)
		exit(c->argc > 1 ? atoi(c->argv[1]) : typed ? 0 : status);
	if (number < 0 || (which == KILL && number == 0)) {
		eprintf("usage: %s N, the number of a job\n",
			builtins[which]);
		return STATUS_USAGE;
	}
	switch (which) {
	case HELP:
		return help();
	case JOBS:
		return jobs_list();
	case WAIT:
		return jobs_wait(number);
	case FG:
		return jobs_front(number);
	}
	return jobs_kill(number);
}

/* --- running -------------------------------------------------------------- */
static int run_pipeline(struct pipeline *p, const char *text)
{
	struct command *c = &p->stage[0];
	int which = builtin(c->argv[0]), n = 0;
	char label[TEXT_BYTES];
	size_t length = p->to - p->from;
	bool alone = p->stages == 1 && !p->background && !c->in && !c->out;

	while (n < c->argc && name_length(c->argv[n]))
		n++;
	if (alone && n == c->argc && c->plain) {
		int result = 0;

		for (n = 0; n < c->argc; n++)
			result |= assign(c->argv[n]);
		return result;
	}
	if (alone && which >= 0)
		return run_builtin(which, c);
	for (int i = 0; i < p->stages; i++)
		if (builtin(p->stage[i].argv[0]) > HELP) {
			eprintf("shell: %s stands alone, in the foreground\n",
				p->stage[i].argv[0]);
			return STATUS_USAGE;
		}
	while (length && text[p->from + length - 1] == ' ')
		length--;
	snprintf(label, sizeof(label), "%.*s", (int)length, text + p->from);
	return jobs_run(p, label);
}

static void complain(const struct parser *p)
{
	if (script)
		eprintf("%s:%u: ", script, script_line);
	else
		eprintf("shell: ");
	eprintf("column %zu: %s\n", p->error_at + 1, p->error);
}

/* One line: first all of it is checked, then it runs, each pipeline with
 * what the variables are by then. */
static void run_line(const char *line)
{
	static struct parser p;
	static struct pipeline each;

	parse_start(&p, line, no_value);
	while (parse_next(&p, &each))
		;
	if (p.error) {
		complain(&p);
		status = STATUS_USAGE;
		return;
	}
	jobs_interrupted();
	parse_start(&p, line, value_of);
	while (parse_next(&p, &each)) {
		if ((each.when == RUN_IF_OK && status != 0) ||
		    (each.when == RUN_IF_FAILED && status == 0))
			continue;
		status = run_pipeline(&each, line);
		if (jobs_interrupted())
			return;
	}
	if (p.error) { /* a variable made it too long */
		complain(&p);
		status = STATUS_USAGE;
	}
}

static void interactive(void)
{
	char line[LINE_MAX_LENGTH];

	typed = true;
	if (!jobs_start(true)) {
		eprintf("shell: out of memory\n");
		exit(STATUS_OTHER);
	}
	printf("\nWeir. `help` lists the commands.\n");
	while (readline("weir> ", line, sizeof(line), &history) >= 0) {
		run_line(line);
		if (status && strspn(line, " \t") < strlen(line))
			printf("[status %d]\n", status);
		jobs_report();
	}
	printf("\n");
}

/* Lines of a text, each cut off in a buffer of its own. */
static int run_text(const char *text, size_t size)
{
	static char line[4096];

	for (size_t at = 0, n; at < size; at += n + 1) {
		const char *end = memchr(text + at, '\n', size - at);

		n = end ? (size_t)(end - text) - at : size - at;
		script_line++;
		if (n >= sizeof(line)) {
			eprintf("shell: line %u is too long\n", script_line);
			return STATUS_USAGE;
		}
		memcpy(line, text + at, n);
		line[n] = '\0';
		run_line(line);
	}
	return status;
}

static int run_script(const char *path)
{
	uint64_t size;
	long error;
	const char *text = fs_read_map(path, &size, &error);

	if (error < 0) {
		eprintf("shell: %s: %s\n", path, fs_strerror(error));
		return STATUS_UNKNOWN;
	}
	script = path;
	return run_text(text, size);
}

/* With swap=virtio the disk is part of the machine: what is run asks how much
 * swap there is. The block server answers once the kernel has it. */
static void wait_for_swap(void)
{
	struct weir_system system;
	struct blk_info info;

	system_read(&system);
	if (system.swap_virtio)
		blk_info(0, &info);
}

int main(int argc, char **argv)
{
	static char line[4096];

	wait_for_swap();

	if (argc == 1 && startup->in.kind == STREAM_CONSOLE) {
		interactive();
		return 0;
	}
	if (!jobs_start(false)) {
		eprintf("shell: out of memory\n");
		return STATUS_OTHER;
	}
	if (argc == 1) {
		while (in_line(line, sizeof(line)) >= 0)
			run_line(line);
		return status;
	}
	if (strcmp(argv[1], "-c") == 0 && argc > 2) {
		words = argv + 2;
		nwords = argc - 2;
		return run_text(argv[2], strlen(argv[2]));
	}
	if (argv[1][0] == '-') {
		eprintf("usage: shell [-c TEXT | FILE [WORD...]]\n");
		return STATUS_USAGE;
	}
	words = argv + 1;
	nwords = argc - 1;
	return run_script(argv[1]);
}
