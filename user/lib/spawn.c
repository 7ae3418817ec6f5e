/*
 * spawn.c - starts programs, and waits for their end.
 *
 * Each segment becomes a fresh anonymous object, filled through a mapping of
 * our own that is gone before the child's is made: nothing is ever writable
 * and executable at once. The child gets its handles in a startup page.
 * Data: the mapping of the initrd and the last error; one thread at a time.
 */
#include <stdio.h>
#include <string.h>

#include "user/lib/console.h"
#include "user/lib/elf.h"
#include "user/lib/fs.h"
#include "user/lib/stream.h"
#include "user/lib/tar.h"

#define STACK_PAGES 64u
#define STACK_TOP 0x7ffffff00000ull
#define STARTUP_VA 0x7ffffff10000ull
#define READ_WRITE (WEIR_P_READ | WEIR_P_WRITE)

static char error_text[128];
static const uint8_t *initrd;

const char *spawn_error(void)
{
	return error_text;
}

static long fail(long error, const char *name, const char *why)
{
	snprintf(error_text, sizeof(error_text), "%.60s: %s", name, why);
	return error;
}

/* Maps the archive on first use. NULL, or why it is not there. */
static const char *initrd_open(void)
{
	uint64_t pages;
	long va;

	if (initrd)
		return NULL;
	if (!startup->initrd)
		return "there is no initrd";
	if (startup->initrd_size == 0)
		return "the archive is empty";
	pages = (startup->initrd_size + WEIR_PAGE_SIZE - 1) / WEIR_PAGE_SIZE;
	va = sys_mem_map(startup->self, startup->initrd, 0, 0, pages,
			 WEIR_P_READ);
	if (va < 0)
		return weir_strerror(va);
	initrd = (const uint8_t *)va;
	return NULL;
}

const char *initrd_each(void (*fn)(const char *name, uint64_t size,
				   void *arg), void *arg)
{
	const char *error = initrd_open();
	struct tar_file file;
	struct tar tar;

	if (error)
		return error;
	tar_open(&tar, initrd, startup->initrd_size);
	while (tar_next(&tar, &file))
		if (file.regular)
			fn(file.name, file.size, arg);
	return tar.error;
}

const char *initrd_file(const char *name, const char **data, uint64_t *size)
{
	const char *error = initrd_open();
	struct tar_file file;

	if (!error)
		error = tar_find(initrd, startup->initrd_size, name, &file);
	if (error)
		return error;
	*data = (const char *)file.data;
	*size = file.size;
	return NULL;
}

/* Maps memory in the child, which has it alone, unless we may fork it. A
 * pinned child's stays in memory, also what it has not touched yet. */
static long map(struct child *child, const struct child_memory *m,
		const struct spawn_options *o)
{
	long result = o->pinned ? sys_mem_pin(m->mem, 0, m->pages, 1) : 0;

	if (result >= 0)
		result = sys_mem_map(child->task, m->mem, 0, m->va, m->pages,
				     m->prot);
	if (o->forkable && m->va != STARTUP_VA && result >= 0 &&
	    child->nmemory < CHILD_MEMORY_MAX)
		child->memory[child->nmemory++] = *m;
	else
		sys_handle_close(m->mem);
	return result < 0 ? result : 0;
}

/* Copies `length` bytes to offset `at` of a fresh object, and maps that in
 * the child. */
static long fill(struct child *child, struct child_memory m, uint64_t at,
		 const void *bytes, uint64_t length,
		 const struct spawn_options *o)
{
	char *own = pages_map(m.pages, &m.mem);

	if (!own)
		return -WEIR_ENOMEM;
	memcpy(own + at, bytes, length);
	pages_unmap(own, m.pages);
	return map(child, &m, o);
}

static long load(struct child *child, const struct elf *elf,
		 const struct spawn_options *o)
{
	const struct child_memory stack = {
		.va = STACK_TOP - STACK_PAGES * WEIR_PAGE_SIZE,
		.pages = STACK_PAGES, .prot = READ_WRITE };
	long error;

	for (unsigned i = 0; i < elf->nsegments; i++) {
		const struct elf_segment *s = &elf->segments[i];

		error = fill(child, (struct child_memory){
			.va = s->page, .pages = s->pages, .prot = s->prot },
			s->skip, s->data, s->filesz, o);
		if (error < 0)
			return error;
	}
	return fill(child, stack, 0, "", 0, o);
}

/* The memory of another child: clones of what that may write. */
static long load_from(struct child *child, const struct child *from,
		      const struct spawn_options *o)
{
	for (unsigned i = 0; i < from->nmemory; i++) {
		struct child_memory m = from->memory[i];
		long result = m.prot & WEIR_P_WRITE ?
			sys_mem_clone(m.mem) :
			sys_handle_dup(m.mem, WEIR_R_ALL, 0);

		if (result < 0)
			return result;
		m.mem = (handle_t)result;
		result = map(child, &m, o);
		if (result < 0)
			return result;
	}
	return 0;
}

/* A copy of `h` (0 stays 0) in the child; *error gets the first failure. */
static handle_t give(handle_t task, handle_t h, unsigned rights, long *error)
{
	long result;

	if (!h || *error < 0)
		return 0;
	result = sys_handle_give(task, h, rights ? rights : WEIR_R_ALL);
	if (result < 0)
		*error = result;
	return result < 0 ? 0 : (handle_t)result;
}

static long put_args(struct weir_startup *page, char *const argv[])
{
	size_t at = sizeof(*page);

	for (; argv[page->argc]; page->argc++) {
		size_t n = strlen(argv[page->argc]) + 1;

		if (page->argc == WEIR_MAX_ARGS || n > WEIR_PAGE_SIZE - at)
			return -WEIR_EFULL;
		memcpy((char *)page + at, argv[page->argc], n);
		page->argv[page->argc] = (uint32_t)at;
		at += n;
	}
	return 0;
}

/* The child's console: a session of its own, if there is a console. */
static handle_t give_console(const struct spawn_options *o,
			     struct child *child, long *error)
{
	handle_t given;
	long session;

	if (o->no_console || (!o->console && !startup->console))
		return 0;
	if (o->console)
		return give(child->task, o->console, 0, error);
	session = console_fork(o->group, &child->session);
	if (session < 0) {
		*error = session;
		return 0;
	}
	given = give(child->task, (handle_t)session, 0, error);
	sys_handle_close((handle_t)session);
	return given;
}

/* What init and servers are to a program. */
static void give_servers(struct weir_startup *page, handle_t task,
			 const struct spawn_options *o, long *error)
{
	handle_t control = o->control ? o->control
			   : o->privileged ? startup->control : 0;

	page->names = give(task, o->names ? o->names : startup->names, 0,
			   error);
	page->control = give(task, control, 0, error);
	if (o->no_initrd)
		return;
	page->initrd = give(task, startup->initrd, 0, error);
	page->initrd_size = startup->initrd_size;
}

static void give_streams(struct weir_startup *page, struct child *child,
			 const struct spawn_options *o, long *error)
{
	handle_t task = child->task;

	if (*error == 0 && o->in)
		*error = stream_give(task, o->in, &page->in);
	else if (*error == 0)
		*error = stream_inherit(task, &startup->in, &page->in,
					&child->in_id);
	if (*error == 0 && o->out)
		*error = stream_give(task, o->out, &page->out);
	else if (*error == 0)
		*error = stream_inherit(task, &startup->out, &page->out,
					&child->out_id);
}

static long make_startup(struct child *child, char *const argv[],
			 const struct spawn_options *o)
{
	static union {
		struct weir_startup page;
		char bytes[WEIR_PAGE_SIZE];
	} u;
	struct weir_startup *page = &u.page;
	handle_t task = child->task;
	long error;

	memset(&u, 0, sizeof(u));
	page->magic = WEIR_STARTUP_MAGIC;
	error = put_args(page, argv);
	page->self = give(task, task, 0, &error);
	page->console = give_console(o, child, &error);
	give_servers(page, task, o, &error);
	give_streams(page, child, o, &error);
	for (int i = 0; i < 16; i++)
		page->irq[i] = give(task, o->irq[i], 0, &error);
	for (int i = 0; i < 2; i++)
		page->ports[i] = give(task, o->ports[i], 0, &error);
	for (int i = 0; i < 8; i++)
		page->extra[i] = give(task, o->extra[i], o->rights[i],
				      &error);
	if (error < 0)
		return error;
	return fill(child, (struct child_memory){
		.va = STARTUP_VA, .pages = 1, .prot = READ_WRITE },
		0, &u, sizeof(u), o);
}

void child_free(struct child *child)
{
	if (child->task)
		sys_handle_close(child->task);
	if (child->fault_ep)
		sys_handle_close(child->fault_ep);
	if (child->session)
		console_drop(child->session);
	for (unsigned i = 0; i < child->nmemory; i++)
		sys_handle_close(child->memory[i].mem);
	stream_release(&startup->in, child->in_id);
	stream_release(&startup->out, child->out_id);
	*child = (struct child){ 0 };
}

/* Where its memory comes from, and where its first thread begins. */
struct origin {
	const struct elf *elf; /* NULL: a fork */
	const struct child *parent;
	uint64_t ip, sp, arg;
};

/* From a checked origin to the first thread. */
static long start(struct child *child, const struct origin *from,
		  char *const argv[], const struct spawn_options *o)
{
	long h = o->fault_ep ? 0 : sys_ep_create();
	long error;

	if (h < 0)
		return h;
	child->fault_ep = (handle_t)h;
	h = sys_task_create(o->fault_ep ? o->fault_ep : child->fault_ep,
			    child->name,
			    strlen(child->name),
			    (o->privileged ? WEIR_TASK_PRIVILEGED : 0) |
				    (o->system ? WEIR_TASK_SYSTEM : 0) |
				    (o->pinned ? WEIR_TASK_PINNED : 0),
			    o->quota);
	if (h < 0)
		return h;
	child->task = (handle_t)h;
	error = from->elf ? load(child, from->elf, o) :
			    load_from(child, from->parent, o);
	if (error == 0)
		error = make_startup(child, argv, o);
	if (error < 0)
		return error;
	h = sys_thread_create(child->task, from->ip, from->sp, from->arg);
	if (h < 0)
		return h;
	sys_handle_close((handle_t)h);
	return 0;
}

/* A program as a file of the initrd. 0 or an error. */
static long find_in_initrd(const char *path, struct tar_file *file)
{
	const char *error = initrd_open();

	while (*path == '/')
		path++;
	if (error)
		return fail(-WEIR_EIO, "initrd", error);
	error = tar_find(initrd, startup->initrd_size, path, file);
	if (error && strcmp(error, TAR_NOT_FOUND) == 0)
		return fail(-WEIR_ENOSYS, path, "no such program");
	return error ? fail(-WEIR_EIO, "initrd", error) : 0;
}

/* The same, of the file server; *mapped: it is there, and to be unmapped. */
static long find(const char *path, struct tar_file *file, bool *mapped)
{
	uint64_t size;
	long error;

	*mapped = false;
	if (!fs_there())
		return find_in_initrd(path, file);
	file->data = fs_read_map(path, &size, &error);
	file->size = size;
	*mapped = error == 0;
	if (error == -FS_NONE)
		return fail(-WEIR_ENOSYS, path, "no such program");
	return error < 0 ? fail(-WEIR_EIO, path, fs_strerror(error)) : 0;
}

long spawn(const char *path, char *const argv[],
	   const struct spawn_options *options, struct child *out)
{
	static const struct spawn_options none;
	const char *slash = strrchr(path, '/'), *error;
	char full[FS_PATH_BYTES];
	struct tar_file file;
	struct elf elf;
	bool mapped;
	long result;

	*out = (struct child){ 0 };
	snprintf(full, sizeof(full), "%s%s", slash ? "" : "/bin/", path);
	snprintf(out->name, sizeof(out->name), "%s", slash ? slash + 1 : path);
	out_flush(); /* what we wrote comes before what it writes */
	result = find(full, &file, &mapped);
	if (result < 0)
		return result;
	error = elf_parse(file.data, file.size, &elf);
	if (error)
		result = fail(-WEIR_EINVAL, path, error);
	else
		result = start(out, &(struct origin){
			.elf = &elf, .ip = elf.entry, .sp = STACK_TOP - 64,
			.arg = STARTUP_VA }, argv, options ? options : &none);
	if (mapped)
		fs_unmap(file.data, file.size);
	if (result == 0 || error)
		return result;
	child_free(out); /* a task that never ran goes with its handle */
	return fail(result, path, weir_strerror(result));
}

long child_fork(const struct child *parent, uint64_t fn, uint64_t arg,
		uint64_t sp, char *const argv[],
		const struct spawn_options *options, struct child *out)
{
	static const struct spawn_options none;
	long result;

	*out = (struct child){ 0 };
	memcpy(out->name, parent->name, sizeof(out->name));
	if (parent->nmemory == 0)
		return fail(-WEIR_EINVAL, parent->name, "not forkable");
	result = start(out, &(struct origin){
		.parent = parent, .ip = fn, .sp = sp - 8, .arg = arg },
		argv, options ? options : &none);
	if (result == 0)
		return 0;
	child_free(out);
	return fail(result, parent->name, weir_strerror(result));
}

bool child_fault(const char *name, const struct weir_msg *m)
{
	static const char *const kinds[] = {
		[WEIR_FAULT_PAGE] = "no access to that address",
		[WEIR_FAULT_IO] = "the page's pager or the swap device failed",
		[WEIR_FAULT_CPU] = "processor exception",
		[WEIR_FAULT_LIMIT] = "it may not have more memory",
	};
	uint64_t kind = m->w[0];
	const char *text = kind <= WEIR_FAULT_LIMIT ? kinds[kind] : NULL;

	if (m->label == WEIR_MSG_EXIT) {
		if ((int64_t)m->w[0] != -WEIR_ENOMEM)
			return false;
		eprintf("%s: killed: memory and swap are exhausted\n", name);
		return true;
	}
	eprintf("%s: killed: %s (address %#llx, instruction %#llx, error "
		"%#llx, thread %llu)\n", name, text ? text : "unknown fault",
		(unsigned long long)m->w[1], (unsigned long long)m->w[2],
		(unsigned long long)m->w[3], (unsigned long long)m->w[4]);
	return true;
}

long child_wait(struct child *child, int *status)
{
	const struct weir_msg kill = { .label = 1 };
	struct weir_msg m;
	bool faulted = false;
	long error;

	for (;;) {
		error = sys_ipc_recv(child->fault_ep, &m);
		if (error < 0)
			break;
		if (!faulted)
			faulted = child_fault(child->name, &m);
		if (m.label == WEIR_MSG_EXIT)
			break;
		sys_ipc_reply(&kill);
	}
	if (error == 0)
		*status = faulted ? STATUS_FAULT
				  : (int)(int64_t)m.w[0];
	child_free(child);
	return error < 0 ? error : 0;
}
