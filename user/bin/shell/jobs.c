/*
 * jobs.c - pipelines that run. See jobs.h.
 */
#include "user/bin/shell/jobs.h"

#include <stdio.h>
#include <string.h>

#include "user/lib/console.h"
#include "user/lib/fs.h"
#include "user/lib/pipe.h"

#define JOBS_MAX 16u
#define ENDED 1ull /* a bit of `changed`: a program has */

struct process {
	struct child child; /* task 0: it has ended */
	bool faulted;
	int status;
};

struct job {
	bool used, background;
	uint64_t serial;     /* part of its programs' badges */
	int number;          /* for people; 0: never in the background */
	int stages, running; /* programs; those that have not ended */
	struct process process[STAGES_MAX];
	/* Between stage i and i + 1; handles 0: freed. */
	struct weir_stream pipe[STAGES_MAX - 1][2];
	unsigned sides[STAGES_MAX - 1]; /* that are not gone yet */
	char text[64];
};

static struct ulock jobs_lock; /* guards all below */
static struct job jobs[JOBS_MAX];
static uint64_t serial;

static bool interactive;
static handle_t endpoint; /* where programs' ends are told */
static handle_t changed;  /* ENDED, CONSOLE_BROKEN: look at your job again */
static bool interrupted; /* ctrl-C ended a wait. Main's */

/* --- the ends of programs ------------------------------------------------- */

static void side_gone(struct job *j, int pipe, enum pipe_side side)
{
	if (pipe < 0 || pipe >= j->stages - 1)
		return;
	pipe_gone(j->pipe[pipe], side);
	if (--j->sides[pipe] == 0)
		pipe_free(j->pipe[pipe]);
}

/* A program is over, or never was. Under the lock. */
static void process_ended(struct job *j, int i, int status)
{
	struct process *p = &j->process[i];

	p->status = status < 0 || status > STATUS_OTHER ? STATUS_OTHER
							 : status;
	child_free(&p->child);
	side_gone(j, i - 1, PIPE_READER);
	side_gone(j, i, PIPE_WRITER);
	j->running--;
	sys_ntfn_signal(changed, ENDED);
}

static void hear(struct weir_msg *m)
{
	struct job *j = &jobs[m->badge / STAGES_MAX % JOBS_MAX];
	int i = m->badge % STAGES_MAX;
	struct process *p = &j->process[i];
	char name[sizeof(p->child.name)];
	bool faulted;

	ulock_take(&jobs_lock);
	if (!j->used || j->serial != m->badge / STAGES_MAX / JOBS_MAX ||
	    !p->child.task) {
		ulock_drop(&jobs_lock);
		return;
	}
	memcpy(name, p->child.name, sizeof(name));
	faulted = p->faulted;
	ulock_drop(&jobs_lock);
	/* Only this thread ends processes: it is still there. */
	if (!faulted)
		faulted = child_fault(name, m);
	ulock_take(&jobs_lock);
	p->faulted = faulted;
	if (m->label == WEIR_MSG_EXIT)
		process_ended(j, i, faulted ? STATUS_FAULT
					    : (int)(int64_t)m->w[0]);
	ulock_drop(&jobs_lock);
}

/* A thread: what the kernel says of the programs. */
static void reaper(void *arg)
{
	struct weir_msg m;
	long error = sys_ipc_recv(endpoint, &m);

	(void)arg;
	while (error >= 0) {
		hear(&m);
		m.label = 1; /* a fault kills */
		m.handle = 0;
		error = sys_ipc_reply_recv(endpoint, &m);
		if (error == -WEIR_EPEER)
			error = sys_ipc_recv(endpoint, &m);
	}
}

static void kill_job(struct job *j, int status)
{
	ulock_take(&jobs_lock);
	for (int i = 0; i < j->stages; i++)
		if (j->process[i].child.task)
			sys_task_kill(j->process[i].child.task, status);
	ulock_drop(&jobs_lock);
}

bool jobs_start(bool typed)
{
	long ep = sys_ep_create(), n = sys_ntfn_create();

	if (ep < 0 || n < 0)
		return false;
	interactive = typed;
	endpoint = (handle_t)ep;
	changed = (handle_t)n;
	if (!uthread_start(reaper, NULL, -1))
		return false;
	if (typed)
		in_break(changed);
	return true;
}

bool jobs_interrupted(void)
{
	bool was = interrupted;

	interrupted = false;
	return sys_ntfn_wait(changed, CONSOLE_BROKEN, 1, NULL) >= 0 || was;
}

/* --- starting ------------------------------------------------------------- */

/* A place for a job. NULL: none; else it is cleared, and ours. */
static struct job *new_job(struct pipeline *p, const char *text)
{
	int number = 0;

	for (unsigned i = 0; i < JOBS_MAX; i++)
		if (jobs[i].used && jobs[i].number > number)
			number = jobs[i].number;
	for (unsigned i = 0; i < JOBS_MAX; i++) {
		struct job *j = &jobs[i];

		if (j->used)
			continue;
		*j = (struct job){ .used = true,
				   .serial = ++serial,
				   .stages = p->stages,
				   .running = p->stages,
				   .background = p->background,
				   .number = p->background ? number + 1 : 0 };
		snprintf(j->text, sizeof(j->text), "%s", text);
		return j;
	}
	return NULL;
}

static uint64_t badge_of(const struct job *j, int stage)
{
	return (j->serial * JOBS_MAX + (uint64_t)(j - jobs)) * STAGES_MAX +
	       (uint64_t)stage;
}

/* The console session of a program that still runs; 0: none does. */
static uint64_t session_of(const struct job *j)
{
	for (int i = 0; i < j->stages; i++)
		if (j->process[i].child.session)
			return j->process[i].child.session;
	return 0;
}

/* Opens the files of a command. False: one cannot be; that was said. */
static bool open_files(const struct command *c, struct weir_stream *in,
		       struct weir_stream *out, struct spawn_options *o)
{
	long error = 0;

	if (c->in) {
		error = fs_stream_in(c->in, in);
		o->in = in;
	}
	if (error < 0) {
		eprintf("shell: %s: %s\n", c->in, fs_strerror(error));
		return false;
	}
	if (c->out) {
		error = fs_stream_out(c->out, c->append, out);
		o->out = out;
	}
	if (error < 0)
		eprintf("shell: %s: %s\n", c->out, fs_strerror(error));
	return error == 0;
}

/* What the shell itself can do, another shell does in a pipeline. */
static void real_command(const struct command *c, char *argv[])
{
	static char shell[] = "shell", dash_c[] = "-c";

	memcpy(argv, c->argv, sizeof(c->argv));
	if (strcmp(argv[0], "sh") == 0)
		argv[0] = shell;
	if (strcmp(argv[0], "help") == 0) {
		argv[2] = c->argv[0];
		argv[0] = shell;
		argv[1] = dash_c;
		argv[3] = NULL;
	}
}

/* Spawns a command. 0, or the status that it has instead. */
static int spawn_stage(struct job *j, int i, const struct command *c,
		       struct spawn_options *o)
{
	struct child *child = &j->process[i].child;
	char *argv[WEIR_MAX_ARGS + 1];
	long h = sys_handle_dup(endpoint, WEIR_R_WRITE, badge_of(j, i));
	long error;

	if (h < 0) {
		eprintf("shell: %s\n", weir_strerror(h));
		return STATUS_START;
	}
	real_command(c, argv);
	o->fault_ep = (handle_t)h;
	error = spawn(argv[0], argv, o, child);
	sys_handle_close((handle_t)h);
	if (error == -WEIR_ENOSYS) {
		eprintf("%s: no such program; try help\n", argv[0]);
		return STATUS_UNKNOWN;
	}
	if (error < 0)
		eprintf("cannot start %s\n", spawn_error());
	return error < 0 ? STATUS_START : 0;
}

static int start_stage(struct job *j, int i, const struct command *c)
{
	static const struct weir_stream nothing = { .kind = 1 };
	struct weir_stream in = { 0 }, out = { 0 };
	/* What we have is passed on. */
	struct spawn_options o = { .privileged = startup->control != 0 };
	int status = STATUS_START;

	if (i > 0)
		o.in = &j->pipe[i - 1][PIPE_READER];
	else if (j->background && !interactive)
		o.in = &nothing;
	if (i < j->stages - 1)
		o.out = &j->pipe[i][PIPE_WRITER];
	if (interactive)
		o.group = session_of(j) ? session_of(j) : CONSOLE_NEW_GROUP;
	if (open_files(c, &in, &out, &o))
		status = spawn_stage(j, i, c, &o);
	if (in.handle[0])
		sys_handle_close(in.handle[0]);
	return status;
}

/* Under the lock, so that nobody frees what is being made. */
static void start(struct job *j, struct pipeline *p)
{
	long error = 0, each;
	int status;

	for (int i = 0; i < j->stages - 1; i++) {
		each = pipe_create(j->pipe[i]);
		j->sides[i] = 2;
		error = each < 0 ? each : error;
	}
	if (error < 0)
		eprintf("shell: pipe: %s\n", weir_strerror(error));
	for (int i = 0; i < j->stages; i++) {
		status = error < 0 ? STATUS_START
				   : start_stage(j, i, &p->stage[i]);
		if (status)
			process_ended(j, i, status);
	}
	if (!j->background && interactive && session_of(j))
		console_front(session_of(j));
}

/* --- waiting -------------------------------------------------------------- */

/* Has the job ended? Then it is freed, and *status is its own. */
static bool collect(struct job *j, int *status)
{
	bool over;

	ulock_take(&jobs_lock);
	over = j->running == 0;
	if (over) {
		*status = j->process[j->stages - 1].status;
		j->used = false;
	}
	ulock_drop(&jobs_lock);
	return over;
}

/* Waits for a job's end, and frees it: its status. In the foreground ctrl-C
 * ends the job; else the wait. This thread hears of it, and no other, so that
 * what was typed before a line never ends what the line starts. */
static int finish(struct job *j, bool foreground)
{
	int status = STATUS_BREAK;

	while (!collect(j, &status)) {
		uint64_t bits = 0;

		sys_ntfn_wait(changed, ENDED | CONSOLE_BROKEN, 0, &bits);
		if (!(bits & CONSOLE_BROKEN))
			continue;
		interrupted = true;
		if (!foreground)
			break;
		kill_job(j, STATUS_BREAK);
	}
	if (interactive && foreground)
		console_front(0);
	return status;
}

int jobs_run(struct pipeline *p, const char *text)
{
	struct job *j;

	ulock_take(&jobs_lock);
	j = new_job(p, text);
	if (j)
		start(j, p);
	ulock_drop(&jobs_lock);
	if (!j) {
		eprintf("shell: too many jobs\n");
		return STATUS_START;
	}
	if (!p->background)
		return finish(j, true);
	if (interactive)
		printf("[%d] %s\n", j->number, j->text);
	return 0;
}

/* --- the commands --------------------------------------------------------- */

/* The job of that number; 0: the last one. NULL: none. */
static struct job *by_number(int number)
{
	struct job *found = NULL;

	for (unsigned i = 0; i < JOBS_MAX; i++) {
		struct job *j = &jobs[i];

		if (!j->used || !j->background)
			continue;
		if (number ? j->number == number
			   : !found || j->number > found->number)
			found = j;
	}
	return found;
}

static int no_job(const char *command, int number)
{
	if (number)
		eprintf("%s: there is no job %d\n", command, number);
	else
		eprintf("%s: there is no job\n", command);
	return 1;
}

static void tell(const struct job *j)
{
	int status = j->process[j->stages - 1].status;

	if (j->running)
		printf("[%d] running   %s\n", j->number, j->text);
	else
		printf("[%d] status %-2d %s\n", j->number, status, j->text);
}

int jobs_list(void)
{
	for (unsigned i = 0; i < JOBS_MAX; i++)
		if (jobs[i].used && jobs[i].background)
			tell(&jobs[i]);
	jobs_report();
	return 0;
}

void jobs_report(void)
{
	for (unsigned i = 0; i < JOBS_MAX; i++) {
		struct job *j = &jobs[i];
		bool over;

		ulock_take(&jobs_lock);
		over = j->used && j->background && j->running == 0;
		if (over)
			j->used = false;
		ulock_drop(&jobs_lock);
		if (over && interactive)
			tell(j);
	}
}

int jobs_wait(int number)
{
	struct job *j;
	int status = 0;

	if (number && !by_number(number))
		return no_job("wait", number);
	jobs_interrupted();
	while ((j = by_number(number))) {
		status = finish(j, false);
		if (j->used || number)
			break; /* ctrl-C; or the one that was asked for */
	}
	return status;
}

int jobs_front(int number)
{
	struct job *j = by_number(number);

	if (!j)
		return no_job("fg", number);
	printf("%s\n", j->text);
	ulock_take(&jobs_lock);
	j->background = false;
	if (interactive && session_of(j))
		console_front(session_of(j));
	ulock_drop(&jobs_lock);
	return finish(j, true);
}

int jobs_kill(int number)
{
	struct job *j = by_number(number);

	if (!j || !number)
		return no_job("kill", number);
	kill_job(j, STATUS_KILLED);
	return 0;
}
