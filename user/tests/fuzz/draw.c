/*
 * draw.c - draws system calls: which one, and each of its arguments.
 *
 * A call's signature is a string, a letter an argument; syscalls.def makes
 * the table, so a call without one does not compile.
 *   t h e n m p  handle that should be of a task, thread, endpoint,
 *                notification, memory, pager   * handle of any kind
 *   P pointer  L bytes  N pages  V address  R rights  O small number
 *   B protection  D deadline  S stack or code  X any number
 *   f fault endpoint, or 0  F flags  Z index, mostly 0  Q quota, or 0
 */
#include "user/tests/fuzz/fuzz.h"

#define SIG_ipc_call "eX*XXXXX"
#define SIG_ipc_recv "eX*XXXXX"
#define SIG_ipc_reply_recv "eX*XXXXX"
#define SIG_ipc_reply "XX*XXXXX"
#define SIG_ep_create ""
#define SIG_ntfn_create ""
#define SIG_ntfn_signal "nX"
#define SIG_ntfn_wait "nXD"
#define SIG_handle_dup "*RX"
#define SIG_handle_close "*"
#define SIG_handle_give "t*R"
#define SIG_task_create "fPLFQ"
#define SIG_task_kill "tX"
#define SIG_thread_create "tSSX"
#define SIG_thread_exit ""
#define SIG_thread_ctl "hOX"
#define SIG_mem_create "NF"
#define SIG_mem_map "tmZVNB"
#define SIG_mem_unmap "tVN"
#define SIG_mem_protect "tVNB"
#define SIG_dev_irq "*OnO"
#define SIG_port_in "*OO"
#define SIG_port_out "*OOX"
#define SIG_klog "PL"
#define SIG_report "OPL"
#define SIG_clock ""
#define SIG_sys_info "OZPL"
#define SIG_sys_ctl "OOX"
#define SIG_pager_create "nONDX"
#define SIG_pager_next "pPP"
#define SIG_pager_done "pOPO"
#define SIG_mem_clone "m"
#define SIG_mem_pin "mZNO"
#define SIG_object_info "*PL"
#define SIG_ports_narrow "*XX"

static const char *const signatures[WEIR_NSYSCALLS] = {
#define SYSCALL(nr, name, object, right, ...) [nr] = SIG_##name,
#include "kernel/abi/syscalls.def"
};

handle_t pool[KINDS][KEPT];
handle_t stale[KEPT];
struct places places;
struct taken taken;

uint64_t next_random(uint64_t *rng)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return *rng;
}

static uint64_t below(uint64_t *rng, uint64_t n)
{
	return (next_random(rng) >> 8) % n;
}

/* True once in n times. */
static bool once_in(uint64_t *rng, uint64_t n)
{
	return below(rng, n) == 0;
}

/* --- values --------------------------------------------------------------- */
static uint64_t any_number(uint64_t *rng)
{
	static const uint64_t edges[] = {
		0, 1, 2, 31, 32, 63, 64, 0xffff, 0x10000, PAGE - 1, PAGE,
		PAGE + 1, 1ull << 27, 0xffffffff, 1ull << 32,
		WEIR_USER_TOP - 1, WEIR_USER_TOP, 1ull << 47, 1ull << 52,
		1ull << 63, ~0ull - PAGE, ~0ull,
	};
	uint64_t r = next_random(rng);

	if (r % 2)
		return edges[(r >> 8) % (sizeof(edges) / sizeof(edges[0]))];
	return next_random(rng) >> (r >> 8) % 64;
}

static handle_t any_handle(uint64_t *rng)
{
	switch (below(rng, 8)) {
	case 0:
		return stale[below(rng, KEPT)];
	case 1: /* a slot's index, and one of its first generations */
		return (handle_t)(below(rng, 64) | (1 + below(rng, 4)) << 10);
	case 2:
		return (handle_t)any_number(rng);
	}
	return pool[below(rng, KINDS)][below(rng, KEPT)];
}

static handle_t handle_of(uint64_t *rng, enum kind kind)
{
	if (once_in(rng, 8))
		return any_handle(rng);
	return pool[kind][below(rng, KEPT)];
}

static uint64_t pointer(uint64_t *rng)
{
	char *const arena = places.arena;

	switch (below(rng, 16)) {
	case 0:
		return any_number(rng);
	case 1: /* the kernel's text, its map of all memory */
		return (once_in(rng, 2) ? 0xffffffff80100000ull :
					  0xffff800000000000ull) +
		       below(rng, 1 << 20);
	case 2: /* not canonical */
		return 0x800000000000ull + (next_random(rng) >> 18);
	case 3: /* around the end of user addresses */
		return WEIR_USER_TOP - below(rng, 2 * PAGE);
	case 4:
	case 5:
		return (uint64_t)places.edge + PAGE - below(rng, 64);
	case 6:
		return (uint64_t)places.readonly + below(rng, PAGE);
	case 7:
		return (uint64_t)places.code + below(rng, PAGE);
	case 8:
	case 9:
		return (uint64_t)places.flips + below(rng, PAGE);
	case 10:
		if (once_in(rng, 2))
			return (uint64_t)places.paged +
			       below(rng, PAGED_PAGES * PAGE);
		break;
	case 12: /* which may be a clone */
	case 13:
		if (places.mapped)
			return (uint64_t)places.mapped + below(rng, PAGE);
		break;
	case 11: /* two pages, the second perhaps swapped out */
		return (uint64_t)arena - below(rng, 64) +
		       PAGE * (1 + below(rng, ARENA_PAGES - 1));
	}
	return (uint64_t)arena + PAGE * below(rng, ARENA_PAGES);
}

static uint64_t length(uint64_t *rng)
{
	static const uint64_t edges[] = { 0, 31, 32, 256, 257, 512, 4096,
					  4097, ~0ull };

	switch (below(rng, 8)) {
	case 0:
		return any_number(rng);
	case 1:
	case 2:
		return edges[below(rng, 9)];
	}
	return below(rng, 32);
}

static uint64_t pages(uint64_t *rng)
{
	return once_in(rng, 16) ? any_number(rng) : 1 + below(rng, 4);
}

/* Of pages to map and unmap: the arena, a field of their own, any. */
static uint64_t address(uint64_t *rng)
{
	switch (below(rng, 16)) {
	case 0:
		return any_number(rng);
	case 1:
		return once_in(rng, 8) ? pointer(rng) & ~(PAGE - 1)
				       : pointer(rng);
	case 2:
	case 6:
	case 7:
	case 8:
		return (uint64_t)places.arena + PAGE * below(rng, ARENA_PAGES);
	case 3:
		return WEIR_USER_TOP - PAGE * below(rng, 8);
	case 4:
	case 5:
		return 0;
	}
	return 0x50000000ull + PAGE * below(rng, 64);
}

static uint64_t deadline(uint64_t *rng)
{
	if (once_in(rng, 16))
		return any_number(rng);
	return now_ns() + below(rng, 300000);
}

static uint64_t protection(uint64_t *rng)
{
	static const uint8_t valid[] = { WEIR_P_READ, READ_WRITE,
					 WEIR_P_READ | WEIR_P_EXEC };

	return once_in(rng, 4) ? any_number(rng) : valid[below(rng, 3)];
}

static uint64_t rights(uint64_t *rng)
{
	return once_in(rng, 2) ? WEIR_R_ALL : next_random(rng) >> 58;
}

/* Limits that tasks come up to, or none. */
static uint64_t quota(uint64_t *rng)
{
	static const struct weir_quota quotas[] = {
		{ 8, 4, 1 }, { 40, 0, 2 }, { 0, 16, 0 }, { 1, 1, 1 },
	};
	uint64_t i = below(rng, 8);

	return i < 4 ? (uintptr_t)&quotas[i] : 0;
}

static uint64_t argument(uint64_t *rng, char letter)
{
	switch (letter) {
	case 't': return handle_of(rng, K_TASK);
	case 'h': return once_in(rng, 2) ? 0 : handle_of(rng, K_THREAD);
	case 'e': return handle_of(rng, K_EP);
	case 'n': return handle_of(rng, K_NTFN);
	case 'm': return handle_of(rng, K_MEM);
	case 'p': return handle_of(rng, K_PAGER);
	case '*': return any_handle(rng);
	case 'P': return pointer(rng);
	case 'L': return length(rng);
	case 'N': return pages(rng);
	case 'V': return address(rng);
	case 'R': return rights(rng);
	case 'O': return once_in(rng, 8) ? any_number(rng) : below(rng, 8);
	case 'B': return protection(rng);
	case 'D': return deadline(rng);
	case 'f': return once_in(rng, 2) ? 0 : handle_of(rng, K_EP);
	case 'F': return once_in(rng, 4) ? any_number(rng) : 0;
	case 'Z': return once_in(rng, 4) ? any_number(rng) : 0;
	case 'S': return pointer(rng);
	case 'Q': return once_in(rng, 8) ? pointer(rng) : quota(rng);
	}
	return any_number(rng);
}

/* --- calls ---------------------------------------------------------------- */

/* What would end the worker, or block it, or fill the log, is rarer. */
static uint64_t call_number(uint64_t *rng, bool owes)
{
	for (;;) {
		uint64_t nr = below(rng, WEIR_NSYSCALLS);

		if (owes && once_in(rng, 3))
			return once_in(rng, 4) ? WEIR_SYS_ipc_reply_recv
					       : WEIR_SYS_ipc_reply;
		if (taken.request && once_in(rng, 4))
			return WEIR_SYS_pager_done;
		if (once_in(rng, 256))
			return any_number(rng); /* most are no call's */
		switch (nr) {
		case WEIR_SYS_thread_exit:
			if (once_in(rng, 64))
				return nr;
			break;
		case WEIR_SYS_klog:
		case WEIR_SYS_report:
			if (once_in(rng, 16))
				return nr;
			break;
		case WEIR_SYS_ipc_recv:
		case WEIR_SYS_ipc_reply_recv:
			if (once_in(rng, 24))
				return nr;
			break;
		case WEIR_SYS_thread_create:
		case WEIR_SYS_ipc_call:
		case WEIR_SYS_ntfn_wait:
			if (once_in(rng, 6))
				return nr;
			break;
		default:
			return nr;
		}
	}
}

/* Whatever is drawn for these would end a worker too soon. */
static void be_careful(uint64_t *rng, struct args *a)
{
	bool own = a->v[0] == startup->self;

	if (own && a->nr == WEIR_SYS_task_kill && !once_in(rng, 32))
		a->v[0] = 0;
	if (own && a->nr == WEIR_SYS_thread_create && !once_in(rng, 8))
		a->v[0] = pool[K_TASK][1 + below(rng, KEPT - 1)];
	/* "out" is what the host takes for this program's output. */
	if (a->nr == WEIR_SYS_report && a->v[0] == WEIR_REPORT_OUT)
		a->v[2] = once_in(rng, 2) ? 0 : 4097 + below(rng, 1 << 20);
	/* Without this handle there is little left to try. */
	if (own && a->nr == WEIR_SYS_handle_close)
		a->v[0] = 0;
}

void draw_call(uint64_t *rng, bool owes, struct args *a)
{
	const struct weir_pager_request *r = NULL;
	const char *s = "XXXXXXXX";

	a->nr = call_number(rng, owes);
	if (a->nr < WEIR_NSYSCALLS)
		s = signatures[a->nr];
	for (unsigned i = 0; i < 8; i++)
		a->v[i] = *s ? argument(rng, *s++) : next_random(rng);
	if (a->nr <= WEIR_SYS_ipc_reply && next_random(rng) >> 62)
		a->v[2] = 0; /* no handle moves */
	if (a->nr == WEIR_SYS_pager_done && once_in(rng, 2))
		r = __atomic_exchange_n(&taken.request, NULL,
					__ATOMIC_RELAXED);
	if (r) {
		a->v[0] = taken.pager;
		a->v[1] = r->cookie;
	}
	be_careful(rng, a);
}

void keep(uint64_t *rng, enum kind kind, handle_t h)
{
	/* The first of each is kept for good. */
	handle_t *slot = &pool[kind][1 + below(rng, KEPT - 1)];
	handle_t old = __atomic_exchange_n(slot, h, __ATOMIC_RELAXED);

	if (!old)
		return;
	sys_handle_close(old);
	stale[below(rng, KEPT)] = old;
}
