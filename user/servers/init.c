/*
 * init - the first task: reads etc/manifest of the initrd, starts what that
 * names, and starts again what ends, with back-off. The endpoints of services
 * belong to init, so that clients outlive a crash; it also keeps pages and
 * handles for them (user/lib/server.h). The service marked `session`, the
 * shell, runs what run= asks for; then the machine is switched off with its
 * status. init waits for nobody: all that it hears comes to one endpoint.
 *
 * A flat image, so that the kernel needs no ELF loader: the header below is
 * at its start (init.ld). If init ends, the kernel panics.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/lib/console.h"
#include "user/lib/faults.h"
#include "user/lib/server.h"
#include "user/servers/init/manifest.h"

#define MANIFEST "etc/manifest"
#define MS 1000000ull
#define BACKOFF_MS 50u
#define BACKOFF_DOUBLINGS 6u       /* at most 3.2 s */
#define RAN_WELL_NS (10000 * MS)   /* then the back-off starts again */
#define STATE_FAILURES 4u          /* in a row: its state is thrown away */

extern char init_text_end[], init_data_end[], init_bss_end[];
extern _Noreturn void _start(struct weir_startup *page);

/* From the first instruction to _start, with the page that other programs get
 * from their parent. The stack may be aligned in any way here. */
__attribute__((force_align_arg_pointer, noreturn))
static void begin(const struct weir_first *first)
{
	static union {
		struct weir_startup page;
		char room[WEIR_PAGE_SIZE];
	} u;

	u.page = (struct weir_startup){
		.magic = WEIR_STARTUP_MAGIC, .self = first->self,
		.initrd = first->initrd, .initrd_size = first->initrd_size,
		.ports = { first->ports }, .argc = 1,
		.argv = { offsetof(struct weir_startup, strings) } };
	memcpy(u.page.irq, first->irq, sizeof(first->irq));
	memcpy(u.page.strings, "init", 5);
	_start(&u.page);
}

__attribute__((section(".init_header"), used))
static const struct {
	uint64_t magic;
	void (*entry)(const struct weir_first *first);
	char *text_end, *data_end, *bss_end;
} header = { WEIR_INIT_MAGIC, begin, init_text_end, init_data_end,
	     init_bss_end };
_Static_assert(sizeof(header) == sizeof(struct weir_init_header), "layout");

/* The badges on init's endpoint: who speaks, and for which service. */
enum speaker { FROM_KERNEL = 1, FROM_SERVER, FROM_CONTROL, FROM_TIMER };
#define BADGE(speaker, index) ((uint64_t)(speaker) << 8 | (index))

struct service {
	const struct service_line *line;
	handle_t ep;      /* its endpoint; 0: the session has none */
	handle_t state;   /* MemObj of line->state pages, or 0 */
	handle_t *kept;   /* line->keep slots */
	bool running;
	struct child child;
	uint64_t started;
	int64_t status;    /* that it ended with */
	unsigned restarts;
	unsigned failures; /* in a row; what the back-off counts */
	struct uthread *timer; /* of the last delayed start; NULL: none */
};

static struct manifest manifest;
static struct service services[SERVICES_MAX];
static handle_t endpoint;
static char command[512];

static void __attribute__((noreturn)) power_off(int64_t status)
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

static handle_t must(long h, const char *what)
{
	if (h < 0)
		give_up(what, weir_strerror(h));
	return (handle_t)h;
}

static struct service *find(const char *name)
{
	for (unsigned i = 0; i < manifest.count; i++)
		if (strcmp(services[i].line->name, name) == 0)
			return &services[i];
	return NULL;
}

/* --- starting ------------------------------------------------------------- */

/* The right to call a service; 0: there is no such service. */
static handle_t client_of(const char *name, uint64_t badge)
{
	struct service *s = find(name);

	return s && s->ep ? must(sys_handle_dup(s->ep,
						WEIR_R_WRITE | WEIR_R_DUP,
						badge), name) : 0;
}

/* For the name server: all other endpoints, and their names as arguments.
 * Handles for them are in o->extra from SERVER_OTHERS on. */
static void add_others(struct service *s, struct spawn_options *o,
		       char *argv[])
{
	unsigned slot = SERVER_OTHERS, argc = 1;

	for (unsigned i = 0; i < manifest.count && slot < 8; i++) {
		const struct service_line *l = services[i].line;

		if (&services[i] == s || !services[i].ep)
			continue;
		o->extra[slot++] = client_of(l->name, l->flags & SERVICE_GUEST
						   ? CONSOLE_GUEST : 0);
		argv[argc++] = (char *)l->name;
	}
	argv[argc] = NULL;
}

/* The interrupts and ports of a driver. */
static void give_devices(const struct service_line *l,
			 struct spawn_options *o)
{
	for (unsigned i = 0; i < SERVICE_IRQS; i++)
		if (l->irqs & 1u << i)
			o->irq[i] = startup->irq[i];
	for (unsigned i = 0; i < SERVICE_PORTS_MAX && l->ports[i].count; i++)
		o->ports[i] = must(sys_ports_narrow(startup->ports[0],
						    l->ports[i].first,
						    l->ports[i].count),
				   l->name);
}

/* Without it the system cannot start. */
static bool is_console(const struct service_line *l)
{
	return strcmp(l->name, "console") == 0;
}

/* What the manifest says that the service gets. */
static void set_options(struct service *s, struct spawn_options *o,
			char *argv[])
{
	unsigned flags = s->line->flags, i = (unsigned)(s - services);

	*o = (struct spawn_options){
		.privileged = flags & SERVICE_PRIVILEGED,
		.system = flags & SERVICE_SYSTEM,
		.pinned = flags & SERVICE_PINNED,
		.no_initrd = !(flags & SERVICE_INITRD),
		.no_console = !(flags & SERVICE_CONSOLE),
		.console = flags & SERVICE_CONSOLE ? client_of("console", 0)
						   : 0,
		.names = flags & SERVICE_NAMES ? client_of("names", 0) : 0,
		.control = flags & SERVICE_CONTROL
			? must(sys_handle_dup(endpoint,
					      WEIR_R_WRITE | WEIR_R_DUP,
					      BADGE(FROM_CONTROL, 0)), "init")
			: 0,
		.fault_ep = must(sys_handle_dup(endpoint, WEIR_R_WRITE,
						BADGE(FROM_KERNEL, i)),
				 "init"),
		.extra = { s->ep },
	};
	give_devices(s->line, o);
	if (s->ep) {
		o->extra[SERVER_KEEPER] =
			must(sys_handle_dup(endpoint,
					    WEIR_R_WRITE | WEIR_R_DUP,
					    BADGE(FROM_SERVER, i)), "init");
		o->extra[SERVER_STATE] = s->state;
	}
	argv[0] = (char *)s->line->name;
	argv[1] = argv[2] = argv[3] = NULL;
	if (command[0] && is_console(s->line))
		argv[1] = "report"; /* to COM2, too */
	if (command[0] && flags & SERVICE_SESSION) {
		argv[1] = "-c";
		argv[2] = command;
	}
	if (flags & SERVICE_OTHERS)
		add_others(s, o, argv);
}

/* Closes what set_options made. */
static void drop_options(struct spawn_options *o)
{
	handle_t own[] = { o->console, o->names, o->control, o->fault_ep,
			   o->extra[SERVER_KEEPER], o->ports[0], o->ports[1] };

	for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (own[i])
			sys_handle_close(own[i]);
	for (unsigned i = SERVER_OTHERS; i < 8; i++)
		if (o->extra[i])
			sys_handle_close(o->extra[i]);
}

/* Fresh pages. The slots stay: who has fresh pages knows what to do with
 * the handles (server.h). */
static void renew_state(struct service *s)
{
	if (s->state)
		sys_handle_close(s->state);
	s->state = s->line->state ? must(sys_mem_create(s->line->state, 0),
					 s->line->name) : 0;
}

/* --- restarting ----------------------------------------------------------- */

/* How long the next start waits. */
static unsigned backoff_ms(const struct service *s)
{
	unsigned doublings = s->failures - 1;

	return BACKOFF_MS << (doublings < BACKOFF_DOUBLINGS
				      ? doublings : BACKOFF_DOUBLINGS);
}

/* A thread: says when it is time. */
static void timer(void *arg)
{
	struct service *s = arg;
	long ep = sys_handle_dup(endpoint, WEIR_R_WRITE,
				 BADGE(FROM_TIMER, s - services));
	struct weir_msg m = { 0 };

	sleep_ns(backoff_ms(s) * MS);
	if (ep < 0 || sys_ipc_call((handle_t)ep, &m) < 0)
		give_up("timer", weir_strerror(ep));
	sys_handle_close((handle_t)ep);
}

/* Counts a failure in a row; the next start waits the longer. */
static void start_later(struct service *s)
{
	if (now_ns() - s->started > RAN_WELL_NS)
		s->failures = 0;
	s->failures++;
	s->restarts++;
	if (s->failures % STATE_FAILURES == 0) {
		klogf("the %s fails again and again: its state is thrown away",
		      s->line->name);
		renew_state(s);
	}
	klogf("the %s ended with status %d; starting another in %u ms "
	      "(restart %u)", s->line->name, (int)s->status, backoff_ms(s),
	      s->restarts);
	if (s->timer)
		uthread_join(s->timer); /* it has only its end to go */
	s->timer = uthread_start(timer, s, -1);
	if (!s->timer)
		give_up(s->line->name, "out of memory for its restart");
}

static void start(struct service *s)
{
	char *argv[SERVICES_MAX + 4];
	struct spawn_options o;

	set_options(s, &o, argv);
	s->started = now_ns();
	s->running = spawn(s->line->program, argv, &o, &s->child) == 0;
	drop_options(&o);
	if (s->running)
		return;
	if (!s->restarts && (s->line->flags & SERVICE_SESSION ||
			     is_console(s->line)))
		give_up("the system cannot start", spawn_error());
	klogf(MANIFEST ":%u: cannot start %s", s->line->line, spawn_error());
	if (s->restarts) { /* it could be started before */
		s->status = STATUS_START;
		start_later(s);
	}
}

static void ended(struct service *s, int64_t status)
{
	const struct service_line *l = s->line;

	if (l->flags & SERVICE_SESSION && command[0])
		power_off(status);
	child_free(&s->child);
	s->running = false;
	if (l->restart == RESTART_NEVER ||
	    (l->restart == RESTART_CRASH && status == 0)) {
		klogf("%s ended with status %d", l->name, (int)status);
		return;
	}
	s->status = status;
	if (l->flags & SERVICE_SESSION && status == 0) {
		s->restarts++;
		klogf("the %s ended with status 0; starting another",
		      l->name);
		start(s);
	} else {
		start_later(s);
	}
}

/* --- what init hears ------------------------------------------------------ */

/* The fault and the end of a service. */
static void from_kernel(struct service *s, struct weir_msg *m)
{
	if (m->label == WEIR_MSG_FAULT) {
		klogf("%s: fault %u at address %#llx, instruction %#llx",
		      s->line->name, (unsigned)m->w[0],
		      (unsigned long long)m->w[1],
		      (unsigned long long)m->w[2]);
		sys_task_kill(s->child.task, STATUS_FAULT);
		m->label = 1; /* not to be tried again */
	} else if (m->label == WEIR_MSG_EXIT && s->running) {
		ended(s, (int64_t)m->w[0]);
	}
}

/* Keeps a handle for a service, or gives it back. */
static void from_server(struct service *s, struct weir_msg *m, handle_t came)
{
	uint64_t slot = m->w[0];
	long h;

	if (slot >= s->line->keep || (m->label == KEEP_PUT) != (came != 0)) {
		if (came)
			sys_handle_close(came);
		m->label = WEIR_EINVAL;
		return;
	}
	h = s->kept[slot];
	if (m->label == KEEP_GET) {
		h = h ? sys_handle_dup((handle_t)h, WEIR_R_ALL, 0)
		      : -WEIR_EHANDLE;
		m->handle = h < 0 ? 0 : (handle_t)h;
		m->label = h < 0 ? (uint64_t)-h : 0;
		return;
	}
	if (h)
		sys_handle_close((handle_t)h);
	s->kept[slot] = m->label == KEEP_PUT ? came : 0;
	m->label = 0;
}

static void from_control(struct weir_msg *m)
{
	char name[SERVER_NAME_BYTES] = { 0 };
	struct service *s;

	if (m->label == CONTROL_LIST && m->w[0] < manifest.count) {
		s = &services[m->w[0]];
		memcpy(name, s->line->name, SERVICE_NAME_BYTES);
		m->w[0] = s->running;
		m->w[1] = s->restarts;
		memcpy(&m->w[2], name, sizeof(name));
		m->label = 0;
		return;
	}
	memcpy(name, m->w, sizeof(name) - 1);
	s = m->label == CONTROL_KILL ? find(name) : NULL;
	if (s && s->running)
		sys_task_kill(s->child.task, STATUS_KILLED);
	m->label = s && s->running ? 0 : WEIR_EINVAL;
}

static void hear(struct weir_msg *m)
{
	unsigned index = m->badge & 0xff;
	struct service *s = &services[index % SERVICES_MAX];
	handle_t came = m->handle;

	m->handle = 0;
	if (m->badge >> 8 == FROM_SERVER) {
		from_server(s, m, came);
		return;
	}
	if (came)
		sys_handle_close(came);
	if (m->badge >> 8 == FROM_KERNEL)
		from_kernel(s, m);
	else if (m->badge >> 8 == FROM_CONTROL)
		from_control(m);
	if (m->badge >> 8 != FROM_TIMER)
		return;
	sys_ipc_reply(m); /* the timer may be waited for: it must go on */
	if (!s->running)
		start(s);
}

/* --- the start ------------------------------------------------------------ */
static void complain(unsigned line, const char *what)
{
	klogf(MANIFEST ":%u: %s; the line is left out", line, what);
}

static void check_file(const char *name, uint64_t size, void *arg)
{
	(void)name, (void)size;
	++*(unsigned *)arg;
}

/* Reads the archive to its end before anything depends on it. */
static void read_manifest(void)
{
	const char *error, *text = NULL;
	unsigned files = 0;
	uint64_t size = 0;

	if (!startup->initrd)
		give_up("no initrd", "GRUB passed none, or an empty one");
	error = initrd_each(check_file, &files);
	if (!error && files == 0)
		error = "there is no file in it";
	if (error)
		give_up("the initrd is damaged", error);
	error = initrd_file(MANIFEST, &text, &size);
	if (error)
		give_up(MANIFEST, error);
	manifest_read(&manifest, text, size, complain);
}

static void prepare(struct service *s, const struct service_line *line)
{
	s->line = line;
	s->kept = calloc(line->keep + 1, sizeof(s->kept[0]));
	if (!s->kept)
		give_up(line->name, "out of memory");
	if (!(line->flags & SERVICE_SESSION))
		s->ep = must(sys_ep_create(), line->name);
	renew_state(s);
}

/* What fault= asks for. */
static void set_faults(void)
{
	char text[512];
	const char *bad;

	if (sys_sys_info(WEIR_INFO_FAULTS, 0, text, sizeof(text)) < 0)
		return;
	bad = faults_set(text, false);
	if (bad)
		klogf("parameter fault: bad value \"%s\"", bad);
}

int main(void)
{
	struct weir_msg m;
	bool session = false;
	long error;

	error = sys_sys_info(WEIR_INFO_CMDLINE, 0, command, sizeof(command));
	if (error < 0)
		give_up("run=", weir_strerror(error));
	command[sizeof(command) - 1] = '\0';
	read_manifest();
	endpoint = must(sys_ep_create(), "init");
	for (unsigned i = 0; i < manifest.count; i++) {
		prepare(&services[i], &manifest.service[i]);
		session |= manifest.service[i].flags & SERVICE_SESSION;
	}
	if (!session)
		give_up(MANIFEST, "no service is marked `session`");
	set_faults();
	for (unsigned i = 0; i < manifest.count; i++)
		start(&services[i]);
	error = sys_ipc_recv(endpoint, &m);
	while (error >= 0) {
		hear(&m);
		error = sys_ipc_reply_recv(endpoint, &m);
		if (error == -WEIR_EPEER)
			error = sys_ipc_recv(endpoint, &m);
	}
	give_up("receive", weir_strerror(error));
}
