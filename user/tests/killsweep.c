/*
 * killsweep.c - a client and a server, either of which is killed at every
 * system call that it makes (P4).
 *
 *   killsweep
 *
 * The script: calls and replies, handles that move both ways, shared memory
 * that is mapped, protected, cloned and unmapped, a page that the server
 * supplies as its pager, signals, a second thread on either side. For n = 1, 2,
 * ... the victim dies at its n-th call, before that has an effect and in a
 * second run once it has returned, until the script ends unharmed. The other
 * one must then find out and end by itself: what it gets is an error, not a
 * wrong result, and not nothing. After each run frames, slots and tasks must be
 * exactly what they were. Exit status 1: something was not so.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/abi/test.h"
#include "user/lib/weir_user.h"

#define PAGE WEIR_PAGE_SIZE
#define PAGES 4u
#define READ_WRITE (WEIR_P_READ | WEIR_P_WRITE)
#define NS_PER_MS 1000000ull
#define PATIENCE_NS (20000 * NS_PER_MS) /* then somebody hangs */
#define WARM_UP 6
#define WORD 0x5745495257454952ull

/* How the two end. */
enum { GOOD, PEER_GONE = 10, WRONG = 20 }; /* WRONG + the step */

enum label { OPEN = 1, GIVE, SIGNAL, ECHO, QUIT };

/* Ends the task with the step that went wrong. */
static void need(bool good, int step)
{
	if (!good)
		exit(WRONG + step);
}

/* --- the client ----------------------------------------------------------- */
static handle_t ep, ntfn;

/* EPEER is how a client learns of its server's death. */
static void call(struct weir_msg *m, int step)
{
	long error = sys_ipc_call(ep, m);

	if (error == -WEIR_EPEER)
		exit(PEER_GONE);
	need(error == 0 && m->label == 0, step);
}

static volatile uint64_t *map(handle_t mem, uint64_t pages, int step)
{
	long va = sys_mem_map(startup->self, mem, 0, 0, pages, READ_WRITE);

	need(va > 0, step);
	return (volatile uint64_t *)va;
}

static void unmap(volatile uint64_t *va, uint64_t pages, int step)
{
	need(sys_mem_unmap(startup->self, (uintptr_t)va, pages) == 0, step);
}

/* Paged memory of the server's: the first access asks it for the page. */
static void use_pager(void)
{
	struct weir_msg m = { .label = OPEN };
	volatile uint64_t *p;

	call(&m, 1);
	need(m.handle, 2);
	p = map(m.handle, PAGES, 3);
	need(p[PAGE / 8] == WORD + 1, 4);
	p[PAGE / 8] = 1;
	need(sys_mem_protect(startup->self, (uintptr_t)p, 2, WEIR_P_READ) ==
	     0, 5);
	need(p[0] == WORD && p[PAGE / 8] == 1, 6);
	unmap(p, PAGES, 7);
	need(sys_handle_close(m.handle) == 0, 8);
}

/* Memory that goes to the server and comes back changed. */
static void use_memory(void)
{
	long mem = sys_mem_create(1, 0);
	struct weir_msg m = { .label = GIVE, .handle = (handle_t)mem };
	volatile uint64_t *p;

	need(mem > 0, 9);
	p = map((handle_t)mem, 1, 10);
	p[0] = WORD;
	call(&m, 11);
	need(m.handle && p[0] == ~WORD, 12);
	unmap(p, 1, 13);
	need(sys_handle_close(m.handle) == 0, 14);
}

/* Memory and its clone, each of which is written. */
static void use_clone(void)
{
	long mem = sys_mem_create(2, 0), copy;
	volatile uint64_t *p, *q;

	need(mem > 0, 23);
	p = map((handle_t)mem, 2, 24);
	p[0] = p[PAGE / 8] = WORD;
	copy = sys_mem_clone((handle_t)mem);
	need(copy > 0, 25);
	q = map((handle_t)copy, 2, 26);
	p[0] = 1;
	q[PAGE / 8] = 2;
	need(p[0] == 1 && q[0] == WORD && p[PAGE / 8] == WORD &&
	     q[PAGE / 8] == 2, 27);
	need(sys_handle_close((handle_t)mem) == 0, 28);
	unmap(p, 2, 29);
	need(q[0] == WORD && q[PAGE / 8] == 2, 30);
	unmap(q, 2, 31);
	need(sys_handle_close((handle_t)copy) == 0, 32);
}

static char stack[8192] __attribute__((aligned(16)));

/* The second thread of the client. */
__attribute__((force_align_arg_pointer))
static void helper(void)
{
	struct weir_msg m = { .label = ECHO, .w = { 5 } };

	call(&m, 15);
	need(m.w[0] == ~5ull, 16);
	sys_ntfn_signal(ntfn, 2);
	sys_thread_exit();
}

static void wait_for(uint64_t bit, int step)
{
	need(sys_ntfn_wait(ntfn, bit, now_ns() + PATIENCE_NS, NULL) == 0,
	     step);
}

static int client(void)
{
	struct weir_msg m = { .label = SIGNAL };
	long h;

	use_pager();
	call(&m, 17);
	wait_for(1, 18);
	use_memory();
	use_clone();
	h = sys_thread_create(startup->self, (uintptr_t)helper,
			      (uintptr_t)stack + sizeof(stack), 0);
	need(h > 0 && sys_handle_close((handle_t)h) == 0, 19);
	for (uint64_t i = 0; i < 3; i++) {
		m = (struct weir_msg){ .label = ECHO, .w = { i } };
		call(&m, 20);
		need(m.w[0] == ~i, 21);
	}
	wait_for(2, 22);
	return GOOD;
}

/* --- the server ----------------------------------------------------------- */
static handle_t pager, paged, requests;

/* Its second thread answers for the paged memory. */
__attribute__((force_align_arg_pointer))
static void pager_main(void)
{
	static uint64_t page[PAGE / 8];
	struct weir_pager_request r;

	for (;;) {
		sys_ntfn_wait(requests, 1, 0, NULL);
		while (sys_pager_next(pager, &r, page) == 0) {
			page[0] = WORD + r.page;
			sys_pager_done(pager, r.cookie, page, 0);
		}
	}
}

static void make_pager(void)
{
	long h;

	requests = (handle_t)sys_ntfn_create();
	h = sys_pager_create(requests, 0, PAGES, 0, &paged);
	need(h > 0, 1);
	pager = (handle_t)h;
	h = sys_thread_create(startup->self, (uintptr_t)pager_main,
			      (uintptr_t)stack + sizeof(stack), 0);
	need(h > 0, 2);
}

static void change_memory(handle_t mem)
{
	volatile uint64_t *p = map(mem, 1, 3);

	need(p[0] == WORD, 4);
	p[0] = ~WORD;
	need(sys_mem_protect(startup->self, (uintptr_t)p, 1, WEIR_P_READ) ==
	     0, 5);
	unmap(p, 1, 6);
}

/* Makes of a request its reply. */
static void serve(struct weir_msg *m)
{
	switch (m->label) {
	case OPEN:
		m->handle = (handle_t)sys_handle_dup(paged, WEIR_R_ALL, 0);
		break;
	case GIVE:
		change_memory(m->handle);
		break;
	case SIGNAL:
		sys_ntfn_signal(ntfn, 1);
		break;
	case ECHO:
		m->w[0] = ~m->w[0];
		break;
	default:
		need(m->label == QUIT, 7);
	}
}

static int server(void)
{
	struct weir_msg m;
	long error;

	make_pager();
	error = sys_ipc_recv(ep, &m);
	for (;;) {
		uint64_t label = m.label;

		need(error == 0, 8);
		serve(&m);
		m.label = 0;
		if (label != QUIT && label != SIGNAL) {
			error = sys_ipc_reply_recv(ep, &m);
			continue;
		}
		error = sys_ipc_reply(&m); /* the client may be dead */
		need(error == 0 || error == -WEIR_EPEER, 9);
		if (label == QUIT)
			return GOOD;
		error = sys_ipc_recv(ep, &m);
	}
}

/* --- who looks on --------------------------------------------------------- */
enum who { CLIENT, SERVER, NEITHER };
static const char *const names[] = { "client", "server", "nobody" };

/* One run. */
static struct {
	struct child child[2];
	int64_t status[2];
	bool faulted[2];
	handle_t ep;
} run;

static handle_t told;  /* bit: who has ended; 2: QUIT was answered */
static handle_t ends;  /* where they end: badge 1 + who */
static unsigned failures;

static void complain(const char *what, enum who victim, uint64_t fuse)
{
	printf("killsweep: %s, killed %s call %llu: %s; statuses %lld, %lld\n",
	       names[victim], fuse % 2 ? "after" : "at",
	       (unsigned long long)fuse / 2, what,
	       (long long)run.status[CLIENT], (long long)run.status[SERVER]);
	failures++;
}

/* A thread of its own: hears of faults and ends. */
static void listen(void *arg)
{
	const struct weir_msg kill = { .label = 1 };
	struct weir_msg m;

	(void)arg;
	while (sys_ipc_recv(ends, &m) == 0) {
		unsigned who = (unsigned)m.badge - 1;

		if (m.label == WEIR_MSG_EXIT) {
			run.status[who] = (int64_t)m.w[0];
			sys_ntfn_signal(told, 1u << who);
			continue;
		}
		run.faulted[who] = m.w[0] == WEIR_FAULT_IO;
		sys_ipc_reply(&kill);
	}
}

/* Another one: ends the server, which may be dead. */
static void quit(void *arg)
{
	struct weir_msg m = { .label = QUIT };

	(void)arg;
	sys_ipc_call(run.ep, &m);
	sys_ntfn_signal(told, 4);
}

static void start(enum who who, handle_t own, handle_t signals, uint64_t fuse)
{
	char number[32];
	char *argv[] = { "killsweep", who == CLIENT ? "--client" : "--server",
			 number, NULL };
	struct spawn_options options = {
		.extra = { own, signals }, .no_console = true,
		.privileged = true, /* for the fuse */
	};

	snprintf(number, sizeof(number), "fuse=%llu",
		 (unsigned long long)fuse);
	options.rights[0] = who == CLIENT ? WEIR_R_WRITE : WEIR_R_READ;
	options.fault_ep = (handle_t)sys_handle_dup(ends, WEIR_R_WRITE,
						    1 + who);
	if (spawn("killsweep", argv, &options, &run.child[who]) < 0) {
		printf("killsweep: %s\n", spawn_error());
		exit(1);
	}
	sys_handle_close(options.fault_ep);
}

static void wait_end(uint64_t bit, enum who victim, uint64_t fuse)
{
	if (sys_ntfn_wait(told, bit, now_ns() + PATIENCE_NS, NULL) == 0)
		return;
	complain(bit == 4 ? "QUIT hangs" : bit == 2 ? "the server hangs" :
		 "the client hangs", victim, fuse);
	exit(1);
}

/* The script once, with this end for the victim. */
static void play(enum who victim, uint64_t fuse)
{
	handle_t both = (handle_t)sys_ep_create();
	handle_t signals = (handle_t)sys_ntfn_create();
	struct uthread *t;

	memset(&run, 0, sizeof(run));
	/* Nobody but the server can receive, so its death is noticed. */
	run.ep = (handle_t)sys_handle_dup(both, WEIR_R_WRITE | WEIR_R_DUP, 0);
	start(SERVER, both, signals, victim == SERVER ? fuse : 0);
	sys_handle_close(both);
	start(CLIENT, run.ep, signals, victim == CLIENT ? fuse : 0);
	wait_end(1, victim, fuse);
	t = uthread_start(quit, NULL, -1);
	wait_end(4, victim, fuse);
	uthread_join(t);
	wait_end(2, victim, fuse);
	child_free(&run.child[CLIENT]);
	child_free(&run.child[SERVER]);
	sys_handle_close(run.ep);
	sys_handle_close(signals);
}

/* Were these the ends that they should come to? */
static void judge(enum who victim, uint64_t fuse)
{
	int64_t c = run.status[CLIENT], s = run.status[SERVER];
	bool lost;

	if (victim == CLIENT) {
		if (s != GOOD || (c != GOOD && c != WEIR_TEST_FUSE))
			complain("a wrong end", victim, fuse);
		return;
	}
	/* A server that is gone is an error, or a fault in its memory. */
	lost = c == PEER_GONE || (c == -WEIR_EFAULT && run.faulted[CLIENT]);
	if ((s != GOOD && s != WEIR_TEST_FUSE) || (c != GOOD && !lost) ||
	    (s == GOOD && c != GOOD))
		complain("a wrong end", victim, fuse);
}

/* --- what is left --------------------------------------------------------- */
struct account {
	uint64_t frames, slots, tasks;
};

static struct account count(void)
{
	struct weir_system sys;
	struct weir_task task;
	struct account a = { 0 };

	system_read(&sys);
	a.frames = sys.frames_free + sys.frames_anon;
	a.slots = sys.swap_free;
	while (sys_sys_info(WEIR_INFO_TASK, a.tasks, &task, sizeof(task)) > 0)
		a.tasks++;
	return a;
}

/* What has ended may still be on its way: its last thread frees its stack
 * after it has told of the end. */
static bool settled(const struct account *want, struct account *got)
{
	uint64_t end = now_ns() + PATIENCE_NS;

	for (;;) {
		*got = count();
		if (memcmp(want, got, sizeof(*got)) == 0)
			return true;
		if (now_ns() >= end)
			return false;
		sleep_ns(NS_PER_MS);
	}
}

static void check_account(const struct account *before, enum who victim,
			  uint64_t fuse)
{
	char text[160];
	struct account now;

	if (settled(before, &now))
		return;
	snprintf(text, sizeof(text), "frames %llu, then %llu; slots %llu, then "
		 "%llu; tasks %llu, then %llu",
		 (unsigned long long)before->frames,
		 (unsigned long long)now.frames,
		 (unsigned long long)before->slots,
		 (unsigned long long)now.slots,
		 (unsigned long long)before->tasks,
		 (unsigned long long)now.tasks);
	complain(text, victim, fuse);
}

/* Kills `victim` at its first call, its second, ... The calls that it made;
 * each is a boundary on either side. */
static uint64_t sweep(enum who victim, const struct account *before)
{
	for (uint64_t n = 1; failures < 10; n++) {
		play(victim, 2 * n);
		judge(victim, 2 * n);
		check_account(before, victim, 2 * n);
		if (run.status[victim] == GOOD)
			return n - 1;
		play(victim, 2 * n + 1);
		judge(victim, 2 * n + 1);
		check_account(before, victim, 2 * n + 1);
	}
	return 0;
}

static int supervise(void)
{
	struct account before;
	uint64_t calls[2];

	told = (handle_t)sys_ntfn_create();
	ends = (handle_t)sys_ep_create();
	if (!uthread_start(listen, NULL, -1))
		return 1;
	for (unsigned i = 0; i < WARM_UP; i++) {
		play(NEITHER, 0);
		if (run.status[CLIENT] != GOOD || run.status[SERVER] != GOOD)
			complain("it does not work unharmed", NEITHER, 0);
	}
	sleep_ns(50 * NS_PER_MS);
	before = count();
	for (enum who who = CLIENT; who <= SERVER && !failures; who++)
		calls[who] = sweep(who, &before);
	if (!failures)
		printf("killsweep: %llu boundaries: the client's %llu calls, "
		       "the server's %llu, each before and after\n",
		       2 * (unsigned long long)(calls[CLIENT] + calls[SERVER]),
		       (unsigned long long)calls[CLIENT],
		       (unsigned long long)calls[SERVER]);
	printf("killsweep: %u failed\n", failures);
	return failures ? 1 : 0;
}

int main(int argc, char **argv)
{
	uint64_t fuse = 0;

	if (argc == 1)
		return supervise();
	if (argc != 3 || !arg_u64(argv[2], "fuse", &fuse)) {
		printf("usage: killsweep\n");
		return STATUS_USAGE;
	}
	ep = startup->extra[0];
	ntfn = startup->extra[1];
	if (fuse)
		sys_sys_ctl(WEIR_CTL_TEST, WEIR_TEST_FUSE, fuse);
	return strcmp(argv[1], "--client") ? server() : client();
}
