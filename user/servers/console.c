/*
 * console - the server that owns the serial line COM1.
 *
 * Two threads: the first serves clients (protocol: user/lib/console.h), the
 * second takes bytes from the line when its interrupt says so. Its state is
 * kept by init (console/console.h), so that another incarnation goes on in
 * the middle of a line. With the argument `report`, output also goes to COM2.
 */
#include <string.h>

#include "user/servers/console/console.h"

#define MAGIC 0x57656972434f4e31ull

struct state *st;
struct ulock lock;
bool reporting;
static handle_t ntfns[CONSOLE_SESSIONS]; /* ours; under `lock` */
static handle_t brks[CONSOLE_SESSIONS];  /* likewise */
static uint8_t *pages[CONSOLE_SESSIONS]; /* NULL: not opened, or not again */

static unsigned index_of(const struct session *s)
{
	return (unsigned)(s - st->sessions);
}

struct session *session_of(uint64_t badge)
{
	struct session *s = &st->sessions[badge % CONSOLE_SESSIONS];

	return s->used && s->badge == badge ? s : NULL;
}

/* The session that speaks. One from before the state was thrown away is
 * taken in again, as the child of session 0. NULL: it was dropped. */
static struct session *session_that_speaks(uint64_t badge)
{
	struct session *s = &st->sessions[badge % CONSOLE_SESSIONS];

	if (!s->used && badge != CONSOLE_GUEST &&
	    badge / CONSOLE_SESSIONS < st->first) {
		*s = (struct session){ .badge = badge, .group = badge };
		s->used = true;
	}
	return session_of(badge);
}

/* --- input: the second thread --------------------------------------------- */

int ring_take(void)
{
	int c = -1;

	ulock_take(&lock);
	if (st->ring_in != st->ring_out)
		c = st->ring[st->ring_out++ % RING];
	ulock_drop(&lock);
	return c;
}

static void put(unsigned char c)
{
	if (st->ring_in - st->ring_out < RING) /* else it is lost */
		st->ring[st->ring_in++ % RING] = c;
}

static void wake(struct session *s)
{
	s->waiting = false;
	sys_ntfn_signal(ntfns[index_of(s)], 1);
}

/* What was typed before ctrl-C is void. A foreground that reads raw bytes
 * gets it as a byte, too, whether it waits right now or not: it gives up the
 * line that it has. Under `lock`. */
static void interrupt(void)
{
	struct session *s = NULL;
	bool reads = false;

	st->ring_out = st->ring_in;
	for (unsigned i = 0; i < CONSOLE_SESSIONS; i++) {
		struct session *each = &st->sessions[i];

		if (!each->used || each->group != st->front)
			continue;
		reads |= each->raw;
		if (!s)
			s = each;
	}
	while (s && !brks[index_of(s)])
		s = s->badge ? session_of(s->parent) : NULL;
	if (s)
		sys_ntfn_signal(brks[index_of(s)], CONSOLE_BROKEN);
	if (reads)
		put(CTRL_C);
}

/* Takes all that the line has. Under `lock`. */
static void drain(void)
{
	int c;

	while ((c = uart_read()) >= 0) {
		if (c == CTRL_C)
			interrupt();
		else if (c == '\r')
			put('\n');
		else if (c != '\n' || !st->after_cr)
			put((unsigned char)c);
		st->after_cr = c == '\r';
	}
}

/* Wakes who waits for input and may have it. Under `lock`. */
static void wake_readers(void)
{
	for (unsigned i = 0; i < CONSOLE_SESSIONS; i++) {
		struct session *s = &st->sessions[i];

		if (s->used && s->waiting && s->group == st->front &&
		    st->ring_in != st->ring_out)
			wake(s);
	}
}

static void reader(void *arg)
{
	handle_t ntfn = *(handle_t *)arg;

	/* First unmasked, then emptied: a byte that comes to a masked line
	 * is no edge, and nothing would ever tell of it. */
	for (;;) {
		sys_dev_irq(startup->irq[COM1_IRQ], WEIR_IRQ_ACK, 0, 0);
		ulock_take(&lock);
		drain();
		wake_readers();
		ulock_drop(&lock);
		sys_ntfn_wait(ntfn, 1, 0, NULL);
	}
}

/* --- sessions: the first thread ------------------------------------------- */

static void set_front(uint64_t group)
{
	ulock_take(&lock);
	st->front = group;
	wake_readers();
	ulock_drop(&lock);
}

static bool group_is_empty(uint64_t group)
{
	for (unsigned i = 0; i < CONSOLE_SESSIONS; i++)
		if (st->sessions[i].used && st->sessions[i].group == group)
			return false;
	return true;
}

static void session_end(struct session *s);

/* Ends the sessions that were forked from this one. */
static void children_end(struct session *s)
{
	for (unsigned i = 1; i < CONSOLE_SESSIONS; i++)
		if (st->sessions[i].used && i != index_of(s) &&
		    st->sessions[i].parent == s->badge)
			session_end(&st->sessions[i]);
}

static void session_end(struct session *s)
{
	unsigned id = index_of(s);
	struct session *parent = session_of(s->parent);

	children_end(s);
	screen_forget(s);
	if (pages[id])
		pages_unmap(pages[id], 1);
	pages[id] = NULL;
	ulock_take(&lock);
	s->used = s->waiting = false;
	if (s->has_ntfn)
		sys_handle_close(ntfns[id]);
	if (s->has_brk)
		sys_handle_close(brks[id]);
	ntfns[id] = brks[id] = 0;
	ulock_drop(&lock);
	if (s->has_ntfn)
		keep_drop(2 * id);
	if (s->has_brk)
		keep_drop(2 * id + 1);
	if (s->group == st->front && group_is_empty(s->group))
		set_front(parent ? parent->group : 0);
}

static int do_open(struct session *s, handle_t mem, bool begins)
{
	uint8_t **page = &pages[index_of(s)];
	long va = sys_mem_map(startup->self, mem, 0, 0, 1, WEIR_P_READ);

	if (va < 0)
		return (int)-va;
	if (begins)
		children_end(s);
	if (*page)
		pages_unmap(*page, 1);
	*page = (uint8_t *)va;
	return 0;
}

/* Takes a notification into a session, in place of the one before. */
static int do_subscribe(struct session *s, bool brk, handle_t ntfn)
{
	unsigned id = index_of(s);
	handle_t *which = brk ? &brks[id] : &ntfns[id];
	long error = keep_put(2 * id + brk, ntfn);

	if (error < 0)
		return (int)-error;
	ulock_take(&lock);
	s->waiting = false;
	if (*which)
		sys_handle_close(*which);
	*which = ntfn;
	*(brk ? &s->has_brk : &s->has_ntfn) = true;
	ulock_drop(&lock);
	return 0;
}

/* The page may change or vanish into swap while it is sent: it is copied
 * first, so that both lines get the same bytes. A client whose request was
 * cut short by a crash sends it again, and gets the rest written. */
static int do_write(struct session *s, uint64_t length)
{
	static uint8_t copy[CONSOLE_BUFFER];
	uint64_t from = 0;

	if (!pages[index_of(s)])
		return WEIR_EPEER;
	if (length > CONSOLE_BUFFER)
		return WEIR_EINVAL;
	memcpy(copy, pages[index_of(s)], length);
	if (st->sending == s->badge + 1 && st->sent <= length)
		from = st->sent;
	st->sent = from;
	st->sending = s->badge + 1;
	screen_write(s, copy, length, from);
	st->sending = 0;
	return 0;
}

static int do_read(struct session *s, struct weir_msg *m)
{
	unsigned char *to = (unsigned char *)&m->w[1];
	uint64_t max = m->w[0], n = 0;
	bool raw = m->w[1] == CONSOLE_RAW, eof = false;
	int c = 0;

	if (max > CONSOLE_READ_MAX)
		max = CONSOLE_READ_MAX;
	memset(to, 0, CONSOLE_READ_MAX);
	ulock_take(&lock);
	s->waiting = s->has_ntfn;
	s->raw = raw;
	ulock_drop(&lock);
	/* From here on a byte that comes, or the foreground, wakes it. */
	if (s->group != st->front)
		;
	else if (raw) /* what is behind a newline may be for another */
		while (n < max && c != '\n' && (c = ring_take()) >= 0)
			to[n++] = (unsigned char)c;
	else
		n = screen_read_line(s, to, max, &eof);
	if (n || eof) {
		ulock_take(&lock);
		s->waiting = false;
		ulock_drop(&lock);
	}
	m->w[0] = eof ? CONSOLE_EOF : n;
	return 0;
}

static int do_fork(struct session *parent, struct weir_msg *m)
{
	struct session *of = session_of(m->w[0]);
	unsigned id = 1;
	uint64_t badge;
	long h;

	while (id < CONSOLE_SESSIONS && st->sessions[id].used)
		id++;
	if (id == CONSOLE_SESSIONS)
		return WEIR_EFULL;
	if (m->w[0] && m->w[0] != CONSOLE_NEW_GROUP &&
	    (!of || of->parent != parent->badge))
		return WEIR_EINVAL;
	badge = ++st->serial * CONSOLE_SESSIONS + id;
	h = sys_handle_dup(startup->extra[SERVER_EP],
			   WEIR_R_WRITE | WEIR_R_DUP, badge);
	if (h < 0)
		return (int)-h;
	st->sessions[id] = (struct session){
		.badge = badge,
		.parent = parent->badge,
		.group = m->w[0] == CONSOLE_NEW_GROUP ? badge
			 : m->w[0] ? of->group : parent->group,
	};
	st->sessions[id].used = true;
	m->w[0] = badge;
	m->handle = (handle_t)h;
	return 0;
}

/* Does the group in front belong to the session, or to what it started? */
static bool has_front(const struct session *s)
{
	struct session *at = session_of(st->front);

	if (s->group == st->front || group_is_empty(st->front))
		return true;
	while (at && at->badge && at != s)
		at = session_of(at->parent);
	return at == s;
}

static int do_front(struct session *s, uint64_t badge)
{
	struct session *to = badge ? session_of(badge) : s;

	if (!to || (to != s && to->parent != s->badge))
		return WEIR_EINVAL;
	if (!has_front(s))
		return WEIR_EPERM;
	if (to != s) { /* a ctrl-C before it began is not for the next line */
		ulock_take(&lock);
		while (st->ring_in != st->ring_out &&
		       st->ring[st->ring_out % RING] == CTRL_C)
			st->ring_out++;
		ulock_drop(&lock);
	}
	set_front(to->group);
	return 0;
}

static int do_drop(struct session *s, uint64_t badge)
{
	struct session *child = badge ? session_of(badge) : NULL;

	if (!child || child->parent != s->badge)
		return WEIR_EINVAL;
	session_end(child);
	return 0;
}

static void serve(struct weir_msg *m, handle_t *came)
{
	struct session *s = session_that_speaks(m->badge);
	int error = WEIR_EINVAL;

	if (m->badge == CONSOLE_GUEST && m->label == CONSOLE_FORK) {
		m->w[0] = CONSOLE_NEW_GROUP;
		error = do_fork(&st->sessions[0], m);
	} else if (!s) {
		error = WEIR_EPERM;
	} else if (m->label == CONSOLE_OPEN && *came) {
		error = do_open(s, *came, m->w[0]);
	} else if ((m->label == CONSOLE_INPUT || m->label == CONSOLE_BREAK) &&
		   *came) {
		error = do_subscribe(s, m->label == CONSOLE_BREAK, *came);
		if (!error)
			*came = 0;
	} else if (m->label == CONSOLE_WRITE) {
		error = do_write(s, m->w[0]);
	} else if (m->label == CONSOLE_READ) {
		error = do_read(s, m);
	} else if (m->label == CONSOLE_FORK) {
		error = do_fork(s, m);
	} else if (m->label == CONSOLE_DROP) {
		error = do_drop(s, m->w[0]);
	} else if (m->label == CONSOLE_FRONT) {
		error = do_front(s, m->w[0]);
	}
	m->label = (uint64_t)error;
}

/* No state: session 0, which the shell has, is there as it was. */
static void make_state(void)
{
	struct session *root = &st->sessions[0];

	memset(st, 0, sizeof(*st));
	ntfns[0] = keep_get(0);
	brks[0] = keep_get(1);
	root->has_ntfn = root->waiting = ntfns[0] != 0;
	root->has_brk = brks[0] != 0;
	root->used = true;
	for (unsigned slot = 2; slot < 2 * CONSOLE_SESSIONS; slot++)
		keep_drop(slot);
	st->serial = st->first = now_ns();
	st->magic = MAGIC;
}

/* Takes over what the last incarnation left; who waited looks again. */
static bool take_state(void)
{
	st = server_state(STATE_PAGES);
	if (!st)
		return false;
	if (st->magic != MAGIC)
		make_state();
	for (unsigned i = 0; i < CONSOLE_SESSIONS; i++) {
		struct session *s = &st->sessions[i];

		if (!s->used)
			continue;
		if (s->has_ntfn && !ntfns[i])
			ntfns[i] = keep_get(2 * i);
		if (s->has_brk && !brks[i])
			brks[i] = keep_get(2 * i + 1);
		if (s->waiting && ntfns[i])
			wake(s);
	}
	return true;
}

int main(int argc, char **argv)
{
	handle_t ntfn;
	long h, error;

	reporting = argc > 1 && strcmp(argv[1], "report") == 0;
	h = sys_ntfn_create();
	if (!startup->extra[SERVER_EP] || !startup->ports[0] ||
	    !startup->irq[COM1_IRQ] ||
	    h < 0 || !take_state()) {
		printf("only init starts the console server\n");
		return STATUS_USAGE;
	}
	ntfn = (handle_t)h;
	uart_init();
	error = sys_dev_irq(startup->irq[COM1_IRQ], WEIR_IRQ_BIND, ntfn, 0);
	if (error < 0 || !uthread_start(reader, &ntfn, -1)) {
		printf("no interrupt: %s\n", weir_strerror(error));
		return 1;
	}
	return server_loop(serve);
}
