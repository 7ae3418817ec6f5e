/*
 * names - the server that knows endpoints by name (user/lib/names.h).
 *
 * Started by init with the services' names as arguments and their endpoints
 * in startup->extra. What programs register is kept by init: slots 2 * i for
 * the endpoint of entry i, 2 * i + 1 for its owner's task.
 */
#include <string.h>

#include "user/lib/names.h"
#include "user/lib/server.h"

#define STARTUP_PAGE ((uintptr_t)startup) /* where each task has its own */

struct entry {
	bool used, owned; /* owned: there from NAMES_OWNER on */
	uint64_t ticket;
	char name[NAME_BYTES];
};

static struct state {
	uint64_t serial;
	struct entry entry[NAMES_MAX];
} *st;

static handle_t endpoints[NAMES_MAX], owners[NAMES_MAX];
static int nservices;
static char **services;

/* A task's startup page is mapped, readable and writable, as long as it
 * lives: asking for just that changes nothing. */
static bool alive(handle_t task)
{
	return sys_mem_protect(task, STARTUP_PAGE, 1,
			       WEIR_P_READ | WEIR_P_WRITE) == 0;
}

static void drop(unsigned i)
{
	st->entry[i].used = false;
	if (endpoints[i])
		sys_handle_close(endpoints[i]);
	if (owners[i])
		sys_handle_close(owners[i]);
	endpoints[i] = owners[i] = 0;
	keep_drop(2 * i);
	keep_drop(2 * i + 1);
}

/* Its owner lives; else it is dropped. */
static bool valid(unsigned i)
{
	struct entry *e = &st->entry[i];

	if (!e->used || !e->owned)
		return false;
	if (alive(owners[i]))
		return true;
	drop(i);
	return false;
}

static int find(const char *name)
{
	for (unsigned i = 0; i < NAMES_MAX; i++)
		if (st->entry[i].used &&
		    strcmp(st->entry[i].name, name) == 0 && valid(i))
			return (int)i;
	return -1;
}

static int find_service(const char *name)
{
	for (int i = 0; i < nservices; i++)
		if (strcmp(services[i], name) == 0)
			return i;
	return -1;
}

/* A place in the table: free, or of a registration that was never finished,
 * or whose owner is gone. -1: none. */
static int free_place(void)
{
	for (unsigned i = 0; i < NAMES_MAX; i++)
		if (!st->entry[i].used)
			return (int)i;
	for (unsigned i = 0; i < NAMES_MAX; i++)
		if (!valid(i)) {
			if (st->entry[i].used)
				drop(i);
			return (int)i;
		}
	return -1;
}

static int do_register(const char *name, struct weir_msg *m, handle_t *came)
{
	int i;

	if (find(name) >= 0 || find_service(name) >= 0)
		return WEIR_EBUSY;
	i = free_place();
	if (i < 0)
		return WEIR_EFULL;
	if (keep_put(2 * (unsigned)i, *came) < 0)
		return WEIR_EINVAL;
	endpoints[i] = *came;
	*came = 0;
	st->entry[i] = (struct entry){ .used = true, .ticket = ++st->serial };
	memcpy(st->entry[i].name, name, NAME_BYTES);
	m->w[0] = st->entry[i].ticket;
	return 0;
}

static int do_owner(uint64_t ticket, handle_t *came)
{
	for (unsigned i = 0; i < NAMES_MAX; i++) {
		struct entry *e = &st->entry[i];

		if (!e->used || e->owned || e->ticket != ticket)
			continue;
		if (find(e->name) >= 0)
			return WEIR_EBUSY; /* another one was quicker */
		if (!alive(*came) || keep_put(2 * i + 1, *came) < 0)
			return WEIR_EINVAL;
		owners[i] = *came;
		*came = 0;
		e->owned = true;
		return 0;
	}
	return WEIR_EINVAL;
}

static int do_lookup(const char *name, struct weir_msg *m)
{
	int i = find_service(name);
	handle_t ep = i >= 0 ? startup->extra[SERVER_OTHERS + i] : 0;
	long h;

	if (i < 0) {
		i = find(name);
		if (i < 0)
			return WEIR_ENOSYS;
		ep = endpoints[i];
	}
	h = sys_handle_dup(ep, WEIR_R_ALL, 0);
	m->handle = h < 0 ? 0 : (handle_t)h;
	return h < 0 ? (int)-h : 0;
}

static int do_drop(const char *name, uint64_t ticket)
{
	int i = find(name);

	if (i < 0)
		return WEIR_ENOSYS;
	if (st->entry[i].ticket != ticket)
		return WEIR_EPERM;
	drop((unsigned)i);
	return 0;
}

/* Places 0.. are the services, then the table. */
static int do_list(struct weir_msg *m)
{
	uint64_t at = m->w[0], n = (uint64_t)nservices;
	const char *name = NULL;

	if (at > n + NAMES_MAX)
		return WEIR_EINVAL;
	for (; at < n + NAMES_MAX && !name; at++)
		if (at < n)
			name = services[at];
		else if (valid((unsigned)(at - n)))
			name = st->entry[at - n].name;
	if (!name)
		return WEIR_ENOSYS;
	memset(&m->w[1], 0, NAME_BYTES);
	memcpy(&m->w[1], name, strnlen(name, NAME_BYTES - 1));
	m->w[0] = at;
	return 0;
}

static void serve(struct weir_msg *m, handle_t *came)
{
	char name[NAME_BYTES];
	bool named;
	int error = WEIR_EINVAL;

	memcpy(name, &m->w[1], sizeof(name));
	named = name[0] && memchr(name, 0, sizeof(name));
	if (m->label == NAMES_REGISTER && named && *came)
		error = do_register(name, m, came);
	else if (m->label == NAMES_OWNER && *came)
		error = do_owner(m->w[0], came);
	else if (m->label == NAMES_LOOKUP && named)
		error = do_lookup(name, m);
	else if (m->label == NAMES_DROP && named)
		error = do_drop(name, m->w[0]);
	else if (m->label == NAMES_LIST)
		error = do_list(m);
	m->label = (uint64_t)error;
}

int main(int argc, char **argv)
{
	if (!startup->extra[SERVER_EP]) {
		printf("only init starts the name server\n");
		return STATUS_USAGE;
	}
	st = server_state(1);
	if (!st)
		return 1;
	_Static_assert(sizeof(*st) <= WEIR_PAGE_SIZE, "does not fit");
	services = argv + 1;
	nservices = argc - 1;
	for (unsigned i = 0; i < NAMES_MAX; i++) {
		if (!st->entry[i].used) {
			keep_drop(2 * i);
			keep_drop(2 * i + 1);
			continue;
		}
		endpoints[i] = keep_get(2 * i);
		owners[i] = keep_get(2 * i + 1);
	}
	return server_loop(serve);
}
