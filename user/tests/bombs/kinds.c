/*
 * kinds.c - the bombs. Each takes one thing until it was told no often enough,
 * keeps it all meanwhile, and ends with TOLD_NO; or it is killed, for memory
 * is what lacks. None of them cares for what it leaves behind.
 */
#include "user/tests/bombs/bombs.h"

#include <string.h>

#include "user/lib/names.h"

#define PAGE WEIR_PAGE_SIZE
#define READ_WRITE (WEIR_P_READ | WEIR_P_WRITE)
#define NOES 8u /* so often it does not believe it */
#define FLOODERS 8u
#define FLOOD 400u
#define SIDE 4u /* threads that take memory */

static long start_another(const char *role, struct child *child)
{
	const struct spawn_options quiet = { .no_console = true };
	char *argv[] = { "bombs", (char *)role, NULL };

	return spawn("bombs", argv, &quiet, child);
}

/* Another one does the same, until there is no room for one. */
static int chain(const char *role)
{
	struct child child;
	int status;

	if (start_another(role, &child) == 0)
		child_wait(&child, &status);
	return TOLD_NO;
}

/* --- programs ------------------------------------------------------------- */

/* Whose end nobody waits for, and who do the same, told no or not. */
static int fork_bomb(uint64_t seed)
{
	struct child child;

	(void)seed;
	for (;;)
		start_another("--fork", &child);
	return 0;
}

static void nothing(void *arg)
{
	(void)arg;
}

/* Tasks that run this program. */
static unsigned fellows(void)
{
	struct weir_task task;
	unsigned n = 0;

	for (uint64_t i = 0; sys_sys_info(WEIR_INFO_TASK, i, &task,
					  sizeof(task)) > 0; i++)
		n += strcmp(task.name, "bombs") == 0;
	return n;
}

/* No bomb: it ends when it is told no, or others have filled half of the swap
 * device, or there are none: but for who started the shell. */
static int until_tight(uint64_t seed)
{
	struct weir_system s;
	struct uthread *t;

	(void)seed;
	do {
		sleep_ns(10000000);
		system_read(&s);
		t = uthread_start(nothing, NULL, -1);
		if (t)
			uthread_join(t);
	} while (t && s.swap_free > s.swap_total / 2 && fellows() > 2);
	return 0;
}

/* --- handles -------------------------------------------------------------- */

/* All that the own table holds are tasks, whose tables are full, too. */
static int handle_bomb(uint64_t seed)
{
	handle_t ep = (handle_t)sys_ep_create();

	(void)seed;
	for (unsigned noes = 0; noes < NOES;) {
		long task = sys_task_create(0, "full", 4, 0, NULL);

		if (task < 0)
			noes++;
		else
			while (sys_handle_give((handle_t)task, ep,
					       WEIR_R_ALL) > 0)
				;
	}
	return chain("--handles");
}

/* --- threads -------------------------------------------------------------- */
static void wait_for_ever(void *arg)
{
	sys_ntfn_wait((handle_t)(uintptr_t)arg, 1, 0, NULL);
}

static int thread_bomb(uint64_t seed)
{
	handle_t n = (handle_t)sys_ntfn_create();

	(void)seed;
	for (unsigned noes = 0; noes < NOES;)
		if (!uthread_start(wait_for_ever, (void *)(uintptr_t)n, -1))
			noes++;
	return chain("--threads");
}

/* Tasks whose threads fault at once, and wait for an answer. */
static int fault_bomb(uint64_t seed)
{
	handle_t ep = (handle_t)sys_ep_create();

	(void)seed;
	for (unsigned noes = 0; noes < NOES;) {
		long task = sys_task_create(ep, "fault", 5, 0, NULL);

		if (task < 0 || sys_thread_create((handle_t)task, PAGE * 100,
						  PAGE * 200, 0) < 0)
			noes++;
	}
	return chain("--faults");
}

/* --- memory --------------------------------------------------------------- */

/* Nobody says no: it is killed. */
static void swallow(void *arg)
{
	(void)arg;
	for (;;) {
		char *p = pages_map(64, NULL);

		for (uint64_t i = 0; p && i < 64; i++)
			p[i * PAGE] = 1;
	}
}

static int swap_bomb(uint64_t seed)
{
	(void)seed;
	for (unsigned i = 1; i < SIDE; i++)
		uthread_start(swallow, NULL, -1);
	swallow(NULL);
	return 0;
}

/* Clones of clones, each of which is written a little. */
static int clone_bomb(uint64_t seed)
{
	const uint64_t n = 16;
	handle_t mem;
	char *p = pages_map(n, &mem);

	(void)seed;
	for (uint64_t i = 0; p && i < n; i++)
		p[i * PAGE] = 1;
	for (unsigned noes = 0; noes < NOES;) {
		long clone = sys_mem_clone(mem), va;

		va = clone < 0 ? clone :
		     sys_mem_map(startup->self, (handle_t)clone, 0, 0, n,
				 READ_WRITE);
		if (va < 0) {
			noes++;
			continue;
		}
		mem = (handle_t)clone;
		((volatile char *)va)[mem % n * PAGE]++;
	}
	return chain("--clones");
}

/* Mappings of one page, and page tables for them. */
static int map_bomb(uint64_t seed)
{
	handle_t mem = (handle_t)sys_mem_create(1, 0);
	uint64_t at = 1ull << 40;

	(void)seed;
	for (unsigned noes = 0; noes < NOES; at += 1ull << 30) {
		long va = sys_mem_map(startup->self, mem, 0, at, 1,
				      READ_WRITE);

		if (va < 0)
			noes++;
		else
			*(volatile char *)va = 1;
	}
	return chain("--maps");
}

/* Each has a frame that reclaim cannot have. */
static int pager_bomb(uint64_t seed)
{
	handle_t n = (handle_t)sys_ntfn_create(), mem;

	(void)seed;
	for (unsigned noes = 0; noes < NOES;)
		if (sys_pager_create(n, 0, 1, 0, &mem) < 0)
			noes++;
	return chain("--pagers");
}

/* --- calls ---------------------------------------------------------------- */
static handle_t servers[3];

static uint64_t draw(uint64_t *rng)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return *rng;
}

static handle_t some_handle(uint64_t r)
{
	switch (r % 4) {
	case 0:
		return (handle_t)sys_ntfn_create();
	case 1:
		return (handle_t)sys_ep_create();
	case 2:
		return (handle_t)sys_mem_create(1 + r / 4 % 4, 0);
	}
	return 0;
}

/* Requests that no client makes. None is of a length that is right, so no
 * server has much to write. */
static void flood(void *arg)
{
	uint64_t rng = (uintptr_t)arg | 1;

	for (unsigned i = 0; i < FLOOD; i++) {
		struct weir_msg m = { .label = draw(&rng) % 20,
				      .handle = some_handle(draw(&rng) >> 8) };
		handle_t sent = m.handle;

		for (unsigned k = 0; k < 5; k++)
			m.w[k] = draw(&rng) >> draw(&rng) % 64;
		m.w[0] |= draw(&rng) % 2 << 13;
		if (sys_ipc_call(servers[(draw(&rng) >> 8) % 3], &m) < 0)
			sys_handle_close(sent);
		else if (m.handle)
			sys_handle_close(m.handle);
	}
}

static int call_bomb(uint64_t seed)
{
	struct uthread *t[FLOODERS];

	servers[0] = startup->names;
	servers[1] = startup->console;
	servers[2] = (handle_t)names_lookup("fs");
	for (uint64_t i = 0; i < FLOODERS; i++)
		t[i] = uthread_start(flood, (void *)(seed * 77 + i * 2), -1);
	for (unsigned i = 0; i < FLOODERS; i++)
		if (t[i])
			uthread_join(t[i]);
	return TOLD_NO;
}

const struct bomb bombs[] = {
	{ "fork", fork_bomb, true },	{ "handles", handle_bomb, false },
	{ "threads", thread_bomb, false }, { "faults", fault_bomb, false },
	{ "swap", swap_bomb, false },	{ "clones", clone_bomb, false },
	{ "maps", map_bomb, false },	{ "pagers", pager_bomb, false },
	{ "calls", call_bomb, false },	{ NULL, until_tight, false },
};
