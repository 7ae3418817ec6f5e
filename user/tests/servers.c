/*
 * servers names|fs|paged|console|pipe|broken|restart|fuzz|storm [SEED] - the
 * servers' promises as a program sees them, and `servers bytes N`, N bytes of
 * noise.
 * A line for each failure; the last line counts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/lib/console.h"
#include "user/lib/fs.h"
#include "user/lib/names.h"
#include "user/lib/pipe.h"
#include "user/lib/server.h"
#include "user/lib/stream.h"
#include "user/tests/servers/check.h"

#define MS 1000000ull

static unsigned checks, failures;
static uint64_t seed = 1;

void check(bool good, const char *what, const char *file, int line)
{
	__atomic_add_fetch(&checks, 1, __ATOMIC_RELAXED);
	if (good)
		return;
	__atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
	printf("%s:%d: %s\n", file, line, what);
}

uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Starts ourselves in another role; extra[0] is `ntfn`, bit 0: ready. */
static void start_role(const char *role, handle_t ntfn, struct child *child)
{
	char *argv[] = { "servers", (char *)role, NULL };
	struct spawn_options o = { .extra = { ntfn }, .no_console = true };

	CHECK(spawn("servers", argv, &o, child) == 0);
}

static void end_role(struct child *child)
{
	int status;

	sys_task_kill(child->task, 7);
	CHECK(child_wait(child, &status) == 0 && status == 7);
}

/* --- names --------------------------------------------------------------- */

/* A server that registers, says so, and answers with its label + 1. */
static int role_owner(void)
{
	handle_t ep = (handle_t)sys_ep_create();
	struct weir_msg m;

	if (names_register("test.owner", ep, WEIR_R_WRITE, NULL) < 0)
		return 1;
	sys_ntfn_signal(startup->extra[0], 1);
	sys_ipc_recv(ep, &m);
	for (;;) {
		m.label++;
		sys_ipc_reply_recv(ep, &m);
	}
}

static bool listed(const char *wanted)
{
	char name[NAME_BYTES];
	uint64_t place = 0;

	while (names_list(&place, name) == 0)
		if (strcmp(name, wanted) == 0)
			return true;
	return false;
}

static void test_owner_dies(void)
{
	handle_t ntfn = (handle_t)sys_ntfn_create();
	struct weir_msg m = { .label = 41 };
	struct child child;
	long h;

	start_role("--owner", ntfn, &child);
	sys_ntfn_wait(ntfn, 1, 0, NULL);
	h = names_lookup("test.owner");
	CHECK(h > 0 && listed("test.owner"));
	CHECK(sys_ipc_call((handle_t)h, &m) == 0 && m.label == 42);
	CHECK(sys_ipc_recv((handle_t)h, &m) == -WEIR_ERIGHTS);
	CHECK(names_register("test.owner", ntfn, WEIR_R_ALL, NULL) ==
	      -WEIR_EBUSY);
	end_role(&child);
	CHECK(names_lookup("test.owner") == -WEIR_ENOSYS);
	CHECK(!listed("test.owner"));
	CHECK(sys_ipc_call((handle_t)h, &m) == -WEIR_EPEER);
	sys_handle_close((handle_t)h);
	/* The name is free for the next one. */
	start_role("--owner", ntfn, &child);
	sys_ntfn_wait(ntfn, 1, 0, NULL);
	h = names_lookup("test.owner");
	CHECK(h > 0);
	sys_handle_close((handle_t)h);
	end_role(&child);
	sys_handle_close(ntfn);
}

static void test_names(void)
{
	handle_t ep = (handle_t)sys_ep_create();
	uint64_t ticket, other;
	char name[40];
	long h;
	int n;

	test_owner_dies();
	CHECK(names_lookup("test.none") == -WEIR_ENOSYS);
	CHECK(names_lookup("") == -WEIR_EINVAL);
	memset(name, 'n', sizeof(name));
	name[32] = '\0';
	CHECK(names_register(name, ep, WEIR_R_WRITE, NULL) == -WEIR_EINVAL);
	name[31] = '\0';
	CHECK(names_register(name, ep, WEIR_R_WRITE, &ticket) == 0);
	CHECK(names_register(name, ep, WEIR_R_WRITE, &other) == -WEIR_EBUSY);
	CHECK(names_drop(name, ticket + 1) == -WEIR_EPERM);
	CHECK(names_drop(name, ticket) == 0);
	CHECK(names_drop(name, ticket) == -WEIR_ENOSYS);
	CHECK(names_register("console", ep, WEIR_R_WRITE, NULL) ==
	      -WEIR_EBUSY);
	for (n = 0; n < 100; n++) {
		snprintf(name, sizeof(name), "test.%d", n);
		h = names_register(name, ep, WEIR_R_WRITE, NULL);
		if (h < 0)
			break;
	}
	CHECK(n == NAMES_MAX && h == -WEIR_EFULL);
	h = names_lookup("fs");
	CHECK(h > 0);
	sys_handle_close((handle_t)h);
	sys_handle_close(ep);
} /* our end drops the names */

/* --- the console's sessions ---------------------------------------------- */
static void test_console(void)
{
	const struct weir_msg front = { .label = CONSOLE_FRONT };
	struct weir_msg m = front;
	uint64_t one, two, none;
	long a = console_fork(CONSOLE_NEW_GROUP, &one);
	long b = console_fork(one, &two);
	long guest = names_lookup("console");

	CHECK(a > 0 && b > 0 && one != two);
	CHECK(console_fork(12345, &none) == -WEIR_EINVAL);
	/* Who is in the background cannot take the foreground. */
	CHECK(server_call((handle_t)a, &m, 0, 0) == -WEIR_EPERM);
	CHECK(console_front(two) == 0);
	m = front;
	CHECK(server_call((handle_t)a, &m, 0, 0) == 0);
	console_drop(two);
	console_drop(one); /* the foreground comes back to us */
	m = front;
	CHECK(server_call((handle_t)a, &m, 0, 0) == -WEIR_EPERM);
	CHECK(console_front(0) == 0);
	/* The handle that everybody can look up starts sessions, no more. */
	m = (struct weir_msg){ .label = CONSOLE_READ, .w = { 8 } };
	CHECK(guest > 0);
	CHECK(server_call((handle_t)guest, &m, 0, 0) == -WEIR_EPERM);
	m = (struct weir_msg){ .label = CONSOLE_FORK };
	CHECK(server_call((handle_t)guest, &m, 0, 0) == 0 && m.handle);
	sys_handle_close(m.handle);
	sys_handle_close((handle_t)guest);
	sys_handle_close((handle_t)a);
	sys_handle_close((handle_t)b);
}

/* --- pipes --------------------------------------------------------------- */

/* Holds the writers' lock of its output for ever: the pipe is full. */
static int role_holder(void)
{
	static char bytes[PIPE_BYTES];
	struct pipe_end end;

	pipe_open(&end, &startup->out);
	pipe_write(&end, bytes, sizeof(bytes));
	sys_ntfn_signal(startup->extra[0], 1);
	pipe_write(&end, bytes, 1);
	return 0;
}

/* A child dies in the middle of a write: the next writer is not held up. */
static void test_pipe_lock(void)
{
	handle_t ntfn = (handle_t)sys_ntfn_create();
	struct weir_stream side[2], saved = startup->out;
	struct spawn_options o = { .out = &side[PIPE_WRITER] };
	char *yes[] = { "yes", NULL };
	struct pipe_end reader, writer;
	static char bytes[PIPE_BYTES];
	struct child child;
	long n, got = 0;
	int status;

	CHECK(pipe_create(side) == 0);
	out_flush();
	startup->out = side[PIPE_WRITER]; /* the child inherits it */
	start_role("--holder", ntfn, &child);
	sys_ntfn_wait(ntfn, 1, 0, NULL);
	end_role(&child);
	startup->out = saved;
	CHECK(pipe_open(&reader, &side[PIPE_READER]) == 0);
	CHECK(pipe_open(&writer, &side[PIPE_WRITER]) == 0);
	while (got < (long)PIPE_BYTES &&
	       (n = pipe_read(&reader, bytes, 1000)) > 0)
		got += n;
	CHECK(got == (long)PIPE_BYTES);
	CHECK(pipe_write(&writer, "after", 5) == 0);
	CHECK(pipe_read(&reader, bytes, 100) == 5);
	pipe_gone(side, PIPE_WRITER);
	CHECK(pipe_read(&reader, bytes, 100) == 0);
	pipe_gone(side, PIPE_READER);
	CHECK(pipe_write(&writer, "x", 1) == -WEIR_EPEER);
	CHECK(spawn("yes", yes, &o, &child) == 0);
	CHECK(child_wait(&child, &status) == 0 && status == STATUS_PIPE);
	pipe_close(&reader);
	pipe_close(&writer);
	pipe_free(side);
	sys_handle_close(ntfn);
}

/* What cannot be read is not the end of the input, and what cannot be written
 * is not written: both are said, and are the status. */
static void test_pipe_broken(void)
{
	handle_t ntfn = (handle_t)sys_ntfn_create();
	struct weir_stream broken = { .kind = STREAM_PIPE,
				      .handle = { ntfn, ntfn, ntfn } };
	struct spawn_options in = { .in = &broken }, out = { .out = &broken };
	char *wc[] = { "wc", NULL }, *echo[] = { "echo", "lost", NULL };
	struct child child;
	int status;

	CHECK(spawn("wc", wc, &in, &child) == 0);
	CHECK(child_wait(&child, &status) == 0 && status == STATUS_INPUT);
	CHECK(spawn("echo", echo, &out, &child) == 0);
	CHECK(child_wait(&child, &status) == 0 && status == STATUS_OUTPUT);
	sys_handle_close(ntfn);
}

/* --- servers that die while they are asked ------------------------------- */
bool kill_server(const char *name)
{
	struct weir_msg m = { .label = CONTROL_KILL };

	memcpy(m.w, name, strlen(name));
	CHECK(sys_ipc_call(startup->control, &m) == 0);
	CHECK(m.label == 0 || m.label == WEIR_EINVAL); /* not up again yet */
	return m.label == 0;
}

/* A thread: three deaths, at some time. */
static void killer(void *name)
{
	for (int i = 0; i < 3; i++) {
		sleep_ns(20 * MS + random64() % (100 * MS));
		kill_server(name);
	}
}

static void test_restart(void)
{
	struct uthread *t = uthread_start(killer, "fs", -1);
	uint64_t file = make_file("/log", ""), size, end = now_ns() + 800 * MS;
	handle_t ep = (handle_t)sys_ep_create();
	const uint32_t *words;
	uint32_t n = 0;
	long error;

	/* Each append arrives once, whenever the server dies. */
	for (; now_ns() < end; n++)
		CHECK(fs_append(file, &n, sizeof(n)) == 0);
	uthread_join(t);
	words = fs_read_map("/log", &size, &error);
	CHECK(size == n * sizeof(n));
	for (uint32_t i = 0; i < n && size == n * sizeof(n); i++)
		CHECK(words[i] == i);
	fs_unmap(words, size);
	CHECK(fs_remove("/log") == 0);
	/* What was registered is known to the next name server. */
	CHECK(names_register("test.kept", ep, WEIR_R_WRITE, NULL) == 0);
	t = uthread_start(killer, "names", -1);
	for (end = now_ns() + 600 * MS; now_ns() < end; n++) {
		error = names_lookup("test.kept");
		CHECK(error > 0);
		sys_handle_close((handle_t)error);
	}
	uthread_join(t);
	CHECK(names_register("test.kept", ep, WEIR_R_WRITE, NULL) ==
	      -WEIR_EBUSY);
	test_owner_dies();
}

/* --- pipelines killed at any point --------------------------------------- */
static unsigned count_tasks(void)
{
	struct weir_task t;
	unsigned n = 0;

	while (sys_sys_info(WEIR_INFO_TASK, n, &t, sizeof(t)) >= 0)
		n++;
	return n;
}

static void one_pipeline(uint64_t limit)
{
	static const struct weir_stream nowhere = { .kind = STREAM_NONE };
	char *argv[] = { "shell", "-c", "yes | cat | cat | grep n | sum",
			 NULL };
	struct spawn_options o = { .out = &nowhere };
	struct child child;
	int status;

	CHECK(spawn("shell", argv, &o, &child) == 0);
	sleep_ns(random64() % limit);
	sys_task_kill(child.task, 7);
	CHECK(child_wait(&child, &status) == 0 && status == 7);
}

/* Waits until no task is left that was not there; false: 10 s went by. */
static bool only_these(unsigned tasks)
{
	uint64_t end = now_ns() + 10000 * MS;

	while (count_tasks() > tasks && now_ns() < end)
		sleep_ns(MS);
	return count_tasks() == tasks;
}

static void test_storm(void)
{
	struct weir_system before, after;
	unsigned tasks = count_tasks();
	int64_t lost;

	for (int i = 0; i < 5; i++)
		one_pipeline(20 * MS); /* whatever is made once is made */
	CHECK(only_these(tasks));
	system_read(&before);
	for (int i = 0; i < 40; i++)
		one_pipeline(i % 2 ? 40 * MS : 4 * MS);
	CHECK(only_these(tasks));
	system_read(&after);
	lost = (int64_t)(before.frames_free + before.frames_anon) -
	       (int64_t)(after.frames_free + after.frames_anon);
	lost += (int64_t)(before.swap_free - after.swap_free);
	printf("storm: %lld frames fewer\n", (long long)lost);
	CHECK(lost < 40); /* not one a pipeline */
}

/* --- the program --------------------------------------------------------- */
static int bytes(uint64_t n)
{
	for (; n; n--) {
		char c = (char)(random64() >> 32);

		out_write(&c, 1);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "--owner") == 0)
		return role_owner();
	if (strcmp(what, "--holder") == 0)
		return role_holder();
	if (strcmp(what, "bytes") == 0 && argc == 3)
		return bytes(strtoull(argv[2], NULL, 10));
	if (argc == 3)
		seed = strtoull(argv[2], NULL, 10);
	if (strcmp(what, "names") == 0)
		test_names();
	else if (strcmp(what, "fs") == 0)
		test_fs();
	else if (strcmp(what, "paged") == 0)
		test_paged();
	else if (strcmp(what, "console") == 0)
		test_console();
	else if (strcmp(what, "pipe") == 0)
		test_pipe_lock();
	else if (strcmp(what, "broken") == 0)
		test_pipe_broken();
	else if (strcmp(what, "restart") == 0)
		test_restart();
	else if (strcmp(what, "fuzz") == 0)
		test_fuzz();
	else if (strcmp(what, "storm") == 0)
		test_storm();
	printf("servers: %u checks, %u failed\n", checks, failures);
	return failures || !checks ? 1 : 0;
}
