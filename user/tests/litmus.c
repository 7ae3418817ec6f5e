/*
 * litmus.c - does this machine's TLB do what the kernel must defend against?
 *
 *   litmus [--json] [rounds=N]
 *
 * Nothing else about TLBs may be believed before this. A thread on another
 * CPU loads a translation, the main thread clears the PTE behind its back,
 * the other thread stores. Afterwards the PTE tells what happened: still
 * empty, the store went through the stale entry, silently; present again,
 * the store faulted and the fault handler mapped the page.
 *   dirty page, before the flush    the store succeeds silently
 *   dirty page, after the flush     it faults
 *   clean page, before the flush    it faults: the first write walks the
 *                                   tables to set the dirty bit
 * and again for a dirty page while the other CPU is away in another task's
 * space, that of the partner: nobody interrupts it for ours then. Where the
 * TLB has tags (PCID) our entries are still there when it comes back, and
 * only where something is owed they must not be.
 * A silent store that must not be is a failure: exit status 1. If silent
 * stores are never seen at all, the emulator keeps no stale entries, tests
 * for lost flushes prove nothing here, and the run says so.
 */
#include <string.h>

#include "kernel/abi/test.h"
#include "user/lib/weir_user.h"

#define PAGE WEIR_PAGE_SIZE
#define MAX_ROUNDS 1000

/* What the other thread is told to do, and what it has done: on a page of
 * its own, so that its translation is not disturbed. */
enum step { IDLE, LOAD, LOADED, LEAVE, BACK, STORE, STORED, QUIT };
static struct {
	volatile uint64_t step;
	volatile uint64_t *page; /* that it works on */
	bool dirty;              /* load by writing, not by reading */
	uint64_t value;          /* that it stores */
} *box;

/* The partner, on the other thread's CPU: when it is called it signals CAME
 * and waits for GO. Its end is a message with a label. */
enum { EXTRA_EP, EXTRA_NTFN };
enum { CAME = 1, GO = 2 };
static handle_t ep, ntfn;

static uint64_t rounds = 200;
static uint8_t *region;

static void set_step(enum step s)
{
	__atomic_store_n(&box->step, s, __ATOMIC_SEQ_CST);
}

static void await_step(enum step s)
{
	while (__atomic_load_n(&box->step, __ATOMIC_SEQ_CST) != (uint64_t)s)
		__builtin_ia32_pause();
}

/* The other CPU: loads a translation, waits, stores through it. */
static void other(void *arg)
{
	uint64_t s;

	(void)arg;
	for (;;) {
		s = __atomic_load_n(&box->step, __ATOMIC_SEQ_CST);
		if (s == LOAD) {
			if (box->dirty)
				*box->page = 1;
			else
				(void)*box->page;
			set_step(LOADED);
		} else if (s == LEAVE) {
			sys_ipc_call(ep, &(struct weir_msg){ 0 });
			set_step(BACK);
		} else if (s == STORE) {
			*box->page = box->value;
			set_step(STORED);
		} else if (s == QUIT) {
			return;
		}
		__builtin_ia32_pause();
	}
}

static int partner(void)
{
	struct weir_msg m;
	long error;

	ep = startup->extra[EXTRA_EP];
	ntfn = startup->extra[EXTRA_NTFN];
	uthread_pin(1);
	error = sys_ipc_recv(ep, &m);
	while (error == 0 && m.label == 0) {
		sys_ntfn_signal(ntfn, CAME);
		sys_ntfn_wait(ntfn, GO, 0, NULL);
		error = sys_ipc_reply_recv(ep, &m);
	}
	if (error == 0)
		sys_ipc_reply(&m);
	return error != 0;
}

static bool partner_start(struct child *child)
{
	char *argv[] = { "litmus", "--partner", NULL };
	struct spawn_options options = { .no_console = true };

	ep = (handle_t)sys_ep_create();
	ntfn = (handle_t)sys_ntfn_create();
	options.extra[EXTRA_EP] = ep;
	options.extra[EXTRA_NTFN] = ntfn;
	if (spawn("litmus", argv, &options, child) == 0)
		return true;
	printf("litmus: %s\n", spawn_error());
	return false;
}

static bool partner_end(struct child *child)
{
	int status;

	sys_ipc_call(ep, &(struct weir_msg){ .label = 1 });
	return child_wait(child, &status) == 0 && status == 0;
}

static long test(enum weir_test op, volatile void *va)
{
	return sys_sys_ctl(WEIR_CTL_TEST, op, (uintptr_t)va);
}

struct tally {
	uint64_t silent;  /* the store went through the stale entry */
	uint64_t faulted;
	uint64_t wrong;   /* the store did not arrive, or the set-up failed */
};

static const struct scene {
	const char *name, *text;
	bool dirty, away, flush;
	bool may_be_silent;
} scenes[] = {
	{ "dirty", "dirty page, before the flush", true, false, false, true },
	{ "dirty-flushed", "dirty page, after the flush",
	  true, false, true, false },
	{ "clean", "clean page, before the flush",
	  false, false, false, false },
	{ "clean-flushed", "clean page, after the flush",
	  false, false, true, false },
	{ "away", "CPU 1 was away, no flush", true, true, false, true },
	{ "away-flushed", "CPU 1 was away, and a flush",
	  true, true, true, false },
};
#define NSCENES (sizeof(scenes) / sizeof(*scenes))

/* One round on a page that was never touched before. */
static void one_round(struct tally *t, uint8_t *page, const struct scene *s,
		      uint64_t value)
{
	const long want = s->dirty ? WEIR_PTE_DIRTY : 0;
	long was;

	box->page = (volatile uint64_t *)page;
	box->dirty = s->dirty;
	box->value = value;
	set_step(LOAD);
	await_step(LOADED);
	if (s->away) {
		set_step(LEAVE);
		sys_ntfn_wait(ntfn, CAME, 0, NULL);
	}
	was = test(WEIR_TEST_CLEAR, page);
	if (s->flush)
		test(WEIR_TEST_FLUSH, page);
	if (s->away) {
		sys_ntfn_signal(ntfn, GO);
		await_step(BACK);
	}
	set_step(STORE);
	await_step(STORED);
	if (test(WEIR_TEST_LOOK, page) & WEIR_PTE_PRESENT)
		t->faulted++;
	else
		t->silent++;
	/* Our own load faults the page in again: the frame is the same. */
	if (!(was & WEIR_PTE_PRESENT) || (was & WEIR_PTE_DIRTY) != want ||
	    *(volatile uint64_t *)page != value)
		t->wrong++;
}

/* Runs one scene; false: the machine did what it must not. */
static bool play(const struct scene *s, unsigned n, bool json,
		 struct tally *t)
{
	uint8_t *page = region + n * rounds * PAGE;

	memset(t, 0, sizeof(*t));
	for (uint64_t i = 0; i < rounds; i++)
		one_round(t, page + i * PAGE, s, 2 + i);
	bool ok = !t->wrong && (s->may_be_silent || !t->silent);

	if (json)
		printf("{\"case\":\"%s\",\"rounds\":%llu,\"silent\":%llu,"
		       "\"faulted\":%llu,\"wrong\":%llu,\"ok\":%s}\n", s->name,
		       (unsigned long long)rounds,
		       (unsigned long long)t->silent,
		       (unsigned long long)t->faulted,
		       (unsigned long long)t->wrong, ok ? "true" : "false");
	else
		printf("%-29s %6llu silent %6llu faulted  %s\n", s->text,
		       (unsigned long long)t->silent,
		       (unsigned long long)t->faulted,
		       ok ? "as it must be" : "WRONG");
	return ok;
}

static int run(bool json)
{
	struct tally t[NSCENES];
	bool ok = true;

	if (!json)
		printf("litmus: stores of CPU 1 after CPU 0 cleared the PTE,"
		       " %llu rounds each\n", (unsigned long long)rounds);
	for (unsigned i = 0; i < NSCENES; i++)
		ok &= play(&scenes[i], i, json, &t[i]);
	if (t[0].silent == 0)
		printf("%s", json ? "{\"shown\":false}\n" :
		       "This emulator does not show it: no store went through"
		       " a stale entry.\nTests for lost flushes prove nothing"
		       " here.\n");
	else if (json)
		printf("{\"shown\":true}\n");
	return !ok;
}

int main(int argc, char **argv)
{
	struct weir_system sys;
	struct uthread *thread;
	struct child child;
	bool json = false;
	int status;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--json")) {
			json = true;
		} else if (!strcmp(argv[i], "--partner")) {
			return partner();
		} else if (!arg_u64(argv[i], "rounds", &rounds) ||
			   rounds < 1 || rounds > MAX_ROUNDS) {
			printf("usage: litmus [--json] [rounds=1..%d]\n",
			       MAX_ROUNDS);
			return STATUS_USAGE;
		}
	system_read(&sys);
	if (sys.cpus < 2) {
		printf("litmus: needs two CPUs, here is one\n");
		return STATUS_USAGE;
	}
	box = pages_map(1, NULL);
	region = pages_map(rounds * NSCENES, NULL);
	uthread_pin(0);
	if (!box || !region || !(thread = uthread_start(other, NULL, 1))) {
		printf("litmus: no memory\n");
		return 1;
	}
	if (test(WEIR_TEST_LOOK, region) < 0) {
		printf("litmus: needs a privileged shell\n");
		return STATUS_USAGE;
	}
	if (!partner_start(&child))
		return STATUS_START;
	status = run(json);
	status |= !partner_end(&child);
	set_step(QUIT);
	uthread_join(thread);
	return status;
}
