/*
 * init - the first task: checks the initrd, starts the console server, then
 * the shell (again whenever it ends), or what run= asks for, after which it
 * switches the machine off with that status.
 *
 * A flat image, so that the kernel needs no ELF loader: the header below is
 * at its start (init.ld). What cannot start ends the machine with status 96
 * and a sentence (docs/protocol.md). If init ends, the kernel panics.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/lib/weir_user.h"

extern char init_text_end[], init_data_end[], init_bss_end[];
extern void _start(struct weir_startup *page);

__attribute__((section(".init_header"), used))
static const struct {
	uint64_t magic;
	void (*entry)(struct weir_startup *page);
	char *text_end, *data_end, *bss_end;
} header = { WEIR_INIT_MAGIC, _start, init_text_end, init_data_end,
	     init_bss_end };
_Static_assert(sizeof(header) == sizeof(struct weir_init_header), "layout");

static struct child console;
static char command[512];

static void __attribute__((noreturn)) power_off(int status)
{
	if (status < 0 || status > STATUS_OTHER)
		status = STATUS_OTHER;
	sys_sys_ctl(WEIR_CTL_POWEROFF, (uint64_t)status, 0);
	klogf("the kernel refused to switch the machine off");
	exit(1);
}

/* Nothing can run: says why, on the console and to whoever gave run=, and
 * switches the machine off. */
static void __attribute__((noreturn)) give_up(const char *what,
					      const char *why)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "init: %s: %s\n", what, why);

	klogf("%s: %s", what, why);
	sys_report(WEIR_REPORT_OUT, text, (size_t)n);
	power_off(STATUS_START);
}

static void count_file(const char *name, uint64_t size, void *arg)
{
	(void)name;
	(void)size;
	++*(unsigned *)arg;
}

/* Reads the archive to its end before anything depends on it. */
static void check_initrd(void)
{
	const char *error;
	unsigned files = 0;

	if (!startup->initrd)
		give_up("no initrd", "GRUB passed none, or an empty one");
	error = initrd_each(count_file, &files);
	if (error)
		give_up("the initrd is damaged", error);
	if (files == 0)
		give_up("the initrd is damaged", "there is no file in it");
}

/* Nothing works without the console server. */
static void watch_console(void *arg)
{
	char text[32];
	int status = 0;

	(void)arg;
	child_wait(&console, &status);
	snprintf(text, sizeof(text), "its status is %d", status);
	give_up("the console server ended", text);
}

/* Returns the endpoint that clients call. */
static handle_t start_console(void)
{
	char *argv[] = { "console", command[0] ? "report" : NULL, NULL };
	long ep = sys_ep_create();
	struct spawn_options options = {
		.privileged = true,
		.system = true,
		.no_console = true,
		.no_initrd = true,
		.extra = { (handle_t)ep },
		.irq = startup->irq,
		.ports = startup->ports,
	};

	if (ep < 0)
		give_up("console endpoint", weir_strerror(ep));
	if (spawn("servers/console", argv, &options, &console) < 0)
		give_up("the system cannot start", spawn_error());
	if (!uthread_start(watch_console, NULL, -1))
		give_up("console watcher", "out of memory");
	ep = sys_handle_dup((handle_t)ep, WEIR_R_WRITE | WEIR_R_DUP, 0);
	if (ep < 0)
		give_up("console endpoint", weir_strerror(ep));
	return (handle_t)ep;
}

/* Runs the shell to its end, and returns its status. */
static int run_shell(handle_t ep)
{
	char *argv[] = { "shell", command[0] ? "-c" : NULL, command, NULL };
	struct spawn_options options = {
		.privileged = true, .system = true, .console = ep,
	};
	int status = STATUS_OTHER;
	struct child shell;
	long error;

	if (spawn("shell", argv, &options, &shell) < 0)
		give_up("the system cannot start", spawn_error());
	error = child_wait(&shell, &status);
	if (error < 0)
		give_up("waiting for the shell", weir_strerror(error));
	return status;
}

int main(void)
{
	handle_t ep;
	long error;

	error = sys_sys_info(WEIR_INFO_CMDLINE, 0, command, sizeof(command));
	if (error < 0)
		give_up("run=", weir_strerror(error));
	command[sizeof(command) - 1] = '\0';
	check_initrd();
	ep = start_console();
	if (command[0])
		power_off(run_shell(ep));
	for (;;)
		klogf("the shell ended with status %d; starting another",
		      run_shell(ep));
}
