/*
 * console - the server that owns the serial line COM1.
 *
 * Two threads: the first serves clients (protocol: user/lib/console.h), the
 * second takes bytes from the line when its interrupt says so. Data: the
 * ring of bytes typed and the sessions' notifications, under `lock`; all else
 * belongs to the first thread. On the line a newline is CR LF; programs
 * see LF only. With the argument `report`, output also goes to COM2.
 */
#include <string.h>

#include "user/lib/console.h"
#include "user/lib/weir_user.h"

#define COM1 0x3f8
enum { DATA = 0, IER = 1, FCR = 2, LCR = 3, MCR = 4, LSR = 5 };
#define LSR_DATA 0x01
#define LSR_EMPTY 0x20
#define FIFO 16
#define RING 1024u
#define CTRL_C 0x03

struct session {
	bool used;
	uint64_t parent;
	uint8_t *page;  /* shared with the client; NULL: not opened */

	/* Under `lock`. */
	handle_t ntfn;  /* of the client, for input; 0: none */
	handle_t brk;   /* of the client, for ctrl-C; 0: none */
	bool waiting;   /* it found no input: signal it */
};

static handle_t endpoint, ports;
static bool reporting;
static struct session sessions[CONSOLE_SESSIONS];

static struct ulock lock;
static unsigned char ring[RING];
static unsigned ring_in, ring_out; /* ever put in, taken out */

static unsigned uart_in(unsigned reg)
{
	return (unsigned)sys_port_in(ports, COM1 + reg, 1);
}

static void uart_out(unsigned reg, unsigned value)
{
	sys_port_out(ports, COM1 + reg, 1, value);
}

/* --- output: the first thread -------------------------------------------- */

/* Sends a byte; `room` counts down what the FIFO still takes. */
static void send(unsigned char c, unsigned *room)
{
	while (*room == 0) {
		if (uart_in(LSR) & LSR_EMPTY)
			*room = FIFO;
		else
			uthread_yield();
	}
	uart_out(DATA, c);
	(*room)--;
}

static void write_out(const uint8_t *bytes, size_t length)
{
	unsigned room = 0;

	if (reporting)
		sys_report(WEIR_REPORT_OUT, bytes, length);
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n')
			send('\r', &room);
		send(bytes[i], &room);
	}
}

/* --- input: the second thread -------------------------------------------- */

static void put(unsigned char c)
{
	if (ring_in - ring_out < RING) /* else it is lost */
		ring[ring_in++ % RING] = c;
}

/* What was typed before ctrl-C is void. Who waits for input gets it as a
 * byte, too: it gives its line up. Under `lock`. */
static void interrupt(void)
{
	bool awaited = false;

	ring_out = ring_in;
	for (unsigned i = 0; i < CONSOLE_SESSIONS; i++) {
		awaited |= sessions[i].waiting;
		if (sessions[i].brk)
			sys_ntfn_signal(sessions[i].brk, 1);
	}
	if (awaited)
		put(CTRL_C);
}

/* Takes all that the line has. Under `lock`. */
static void drain(void)
{
	static bool after_cr;
	unsigned char c;

	while (uart_in(LSR) & LSR_DATA) {
		c = (unsigned char)uart_in(DATA);
		if (c == CTRL_C)
			interrupt();
		else if (c == '\r')
			put('\n');
		else if (c != '\n' || !after_cr)
			put(c);
		after_cr = c == '\r';
	}
}

/* Wakes who waits for input. Under `lock`. */
static void wake_readers(void)
{
	for (unsigned i = 0; i < CONSOLE_SESSIONS; i++) {
		struct session *s = &sessions[i];

		if (!s->waiting || ring_in == ring_out)
			continue;
		s->waiting = false;
		sys_ntfn_signal(s->ntfn, 1);
	}
}

static void reader(void *arg)
{
	handle_t ntfn = *(handle_t *)arg;

	for (;;) {
		/* Before drain: what comes in while the interrupt is masked
		 * makes no edge that the IOAPIC keeps. */
		sys_dev_irq(startup->irq, WEIR_IRQ_ACK, 0, 0);
		ulock_take(&lock);
		drain();
		wake_readers();
		ulock_drop(&lock);
		sys_ntfn_wait(ntfn, 1, 0, NULL);
	}
}

/* --- sessions: the first thread ------------------------------------------ */

static void session_end(uint64_t id)
{
	struct session *s = &sessions[id];

	for (uint64_t i = 1; i < CONSOLE_SESSIONS; i++)
		if (sessions[i].used && sessions[i].parent == id && i != id)
			session_end(i);
	if (s->page)
		pages_unmap(s->page, 1);
	ulock_take(&lock);
	if (s->ntfn)
		sys_handle_close(s->ntfn);
	if (s->brk)
		sys_handle_close(s->brk);
	*s = (struct session){ 0 };
	ulock_drop(&lock);
}

static int do_open(struct session *s, handle_t mem)
{
	long va = sys_mem_map(startup->self, mem, 0, 0, 1, WEIR_P_READ);

	if (va < 0)
		return (int)-va;
	if (s->page)
		pages_unmap(s->page, 1);
	s->page = (uint8_t *)va;
	return 0;
}

/* Takes a notification into a session, in place of the one before. */
static int do_subscribe(struct session *s, handle_t *which, handle_t ntfn)
{
	ulock_take(&lock);
	s->waiting = false;
	if (*which)
		sys_handle_close(*which);
	*which = ntfn;
	ulock_drop(&lock);
	return 0;
}

/* The page may change or vanish into swap while it is sent: it is copied
 * first, so that both lines get the same bytes. */
static int do_write(struct session *s, uint64_t length)
{
	static uint8_t copy[CONSOLE_BUFFER];

	if (!s->page || length > CONSOLE_BUFFER)
		return WEIR_EINVAL;
	memcpy(copy, s->page, length);
	write_out(copy, length);
	return 0;
}

static int do_read(struct session *s, struct weir_msg *m)
{
	unsigned char *to = (unsigned char *)&m->w[1];
	uint64_t max = m->w[0], n = 0;

	if (max > CONSOLE_READ_MAX)
		max = CONSOLE_READ_MAX;
	memset(to, 0, CONSOLE_READ_MAX);
	ulock_take(&lock);
	while (n < max && ring_in != ring_out)
		to[n++] = ring[ring_out++ % RING];
	s->waiting = n == 0 && s->ntfn != 0;
	ulock_drop(&lock);
	m->w[0] = n;
	return 0;
}

static int do_fork(uint64_t parent, struct weir_msg *m)
{
	uint64_t id = 1;
	long h;

	while (id < CONSOLE_SESSIONS && sessions[id].used)
		id++;
	if (id == CONSOLE_SESSIONS)
		return WEIR_EFULL;
	h = sys_handle_dup(endpoint, WEIR_R_WRITE | WEIR_R_DUP, id);
	if (h < 0)
		return (int)-h;
	sessions[id] = (struct session){ .used = true, .parent = parent };
	m->w[0] = id;
	m->handle = (handle_t)h;
	return 0;
}

/* Handles one request and makes its reply. A handle that came along and was
 * not wanted is closed. */
static void serve(struct weir_msg *m)
{
	struct session *s = &sessions[m->badge % CONSOLE_SESSIONS];
	handle_t came = m->handle;
	int error = WEIR_EINVAL;

	m->handle = 0;
	if (m->badge >= CONSOLE_SESSIONS || !s->used) {
		error = WEIR_EPEER;
	} else if (m->label == CONSOLE_OPEN && came) {
		error = do_open(s, came);
	} else if (m->label == CONSOLE_INPUT && came) {
		error = do_subscribe(s, &s->ntfn, came);
		came = 0;
	} else if (m->label == CONSOLE_BREAK && came) {
		error = do_subscribe(s, &s->brk, came);
		came = 0;
	} else if (m->label == CONSOLE_WRITE) {
		error = do_write(s, m->w[0]);
	} else if (m->label == CONSOLE_READ) {
		error = do_read(s, m);
	} else if (m->label == CONSOLE_FORK) {
		error = do_fork(m->badge, m);
	} else if (m->label == CONSOLE_DROP && m->w[0] > 0 &&
		   m->w[0] < CONSOLE_SESSIONS && sessions[m->w[0]].used &&
		   sessions[m->w[0]].parent == m->badge) {
		session_end(m->w[0]);
		error = 0;
	}
	if (came)
		sys_handle_close(came);
	m->label = (uint64_t)error;
}

/* 115200 baud, 8N1, FIFOs on, interrupt on input only. */
static void uart_init(void)
{
	uart_out(IER, 0);
	uart_out(LCR, 0x80);
	uart_out(DATA, 1);
	uart_out(IER, 0);
	uart_out(LCR, 0x03);
	uart_out(FCR, 0x01);
	uart_out(MCR, 0x0b);
	uart_out(IER, 0x01);
}

int main(int argc, char **argv)
{
	struct weir_msg m;
	handle_t ntfn;
	long h, error;

	endpoint = startup->extra[0];
	ports = startup->ports;
	reporting = argc > 1 && strcmp(argv[1], "report") == 0;
	sessions[0].used = true;
	h = sys_ntfn_create();
	if (!endpoint || !ports || !startup->irq || h < 0) {
		printf("only init starts the console server\n");
		return STATUS_USAGE;
	}
	ntfn = (handle_t)h;
	error = sys_dev_irq(startup->irq, WEIR_IRQ_BIND, ntfn, 0);
	if (error < 0 || !uthread_start(reader, &ntfn, -1)) {
		printf("no interrupt: %s\n", weir_strerror(error));
		return 1;
	}
	uart_init();
	error = sys_ipc_recv(endpoint, &m);
	while (error >= 0) {
		serve(&m);
		error = sys_ipc_reply_recv(endpoint, &m);
		/* A client that died while it was served is not ours. */
		if (error == -WEIR_EPEER)
			error = sys_ipc_recv(endpoint, &m);
	}
	printf("%s\n", weir_strerror(error));
	return 1;
}
