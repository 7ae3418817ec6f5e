/*
 * kernel.c - scenes without a TLB: references, wake-ups, tasks, handles, IPC.
 */
#include "user/tests/account.h"
#include "user/tests/window/window.h"

static uint64_t references(handle_t mem)
{
	struct weir_object_info info;

	CHECK(sys_object_info(mem, &info, sizeof(info)) == 0);
	return info.mem.refs;
}

/* What a call looked up is put back, also where it fails. */
void scene_reference(void)
{
	handle_t mem = (handle_t)sys_mem_create(4, 0);
	uint64_t before = references(mem);

	for (unsigned i = 0; i < 8; i++)
		CHECK(sys_mem_map(startup->self, mem, 3, 0, 2, READ_WRITE) ==
		      -WEIR_EINVAL);
	CHECK(references(mem) == before);
	sys_handle_close(mem);
}

/* Two wait for a bit each. */
static handle_t ntfn;

static long wait_for(void *bit)
{
	return sys_ntfn_wait(ntfn, (uintptr_t)bit, 0, NULL);
}

static void await_waiting(struct hand *h)
{
	while (!hand_waits(h))
		uthread_yield();
}

/* A signal has made runnable whom it is for when it returns, and who waits for
 * another bit, and was there first, waits again. */
void scene_wake(void)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *second = hand_start(CPU_SECOND);
	bool woken;

	ntfn = (handle_t)sys_ntfn_create();
	hand_do(first, wait_for, (void *)1);
	await_waiting(first);
	hand_do(second, wait_for, (void *)2);
	await_waiting(second);
	CHECK(sys_ntfn_signal(ntfn, 2) == 0);
	woken = !hand_waits(second);
	CHECK(woken);
	if (!woken)
		return;
	CHECK(hand_result(second) == 0);
	CHECK(!hand_ends(first));
	hand_do(second, wait_for, (void *)2);
	await_waiting(second);
	CHECK(sys_ntfn_signal(ntfn, 1 | 2) == 0);
	CHECK(!hand_waits(first) && !hand_waits(second));
	CHECK(hand_result(first) == 0 && hand_result(second) == 0);
	sys_handle_close(ntfn);
}

/* Nothing begins in a task that is over. */
void scene_enter(void)
{
	handle_t task = (handle_t)sys_task_create(0, "over", 4, 0, NULL);

	CHECK(sys_task_kill(task, 1) == 0);
	CHECK(sys_thread_create(task, WEIR_USER_BASE, WEIR_USER_BASE, 0) ==
	      -WEIR_EPEER);
	sys_handle_close(task);
}

/* A thread starts in the user half, with a stack there. */
void scene_address(void)
{
	static const uint64_t bad[] = {
		WEIR_USER_TOP, 1ull << 47, 0xffff800000000000, ~0ull,
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK(sys_thread_create(startup->self, bad[i], WEIR_USER_BASE,
					0) == -WEIR_EINVAL);
	CHECK(sys_thread_create(startup->self, WEIR_USER_BASE, 1ull << 47,
				0) == -WEIR_EINVAL);
}

/* What a closed handle named is not what its place names next. */
void scene_generation(void)
{
	handle_t old = (handle_t)sys_ntfn_create(), next;

	CHECK(sys_handle_close(old) == 0);
	next = (handle_t)sys_ntfn_create();
	CHECK(next != old);
	CHECK(sys_ntfn_signal(old, 1) == -WEIR_EHANDLE);
	CHECK(sys_ntfn_signal(next, 1) == 0);
	sys_handle_close(next);
}

/* A server ends that owes a reply. */
static handle_t ep;
static bool got; /* atomic */

static long serve_and_end(void *arg)
{
	struct weir_msg m;

	(void)arg;
	CHECK(sys_ipc_recv(ep, &m) == 0);
	__atomic_store_n(&got, true, __ATOMIC_SEQ_CST);
	sys_thread_exit();
	return 0;
}

static long call(void *arg)
{
	struct weir_msg m = { .label = 1 };

	(void)arg;
	return sys_ipc_call(ep, &m);
}

void scene_client(void)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *second = hand_start(CPU_SECOND);

	ep = (handle_t)sys_ep_create();
	got = false;
	hand_do(first, serve_and_end, NULL);
	hand_do(second, call, NULL);
	while (!__atomic_load_n(&got, __ATOMIC_SEQ_CST))
		uthread_yield();
	await_waiting(first); /* it does not wait any more: it is dead */
	if (hand_waits(second))
		CHECK(!"the client of a dead server waits");
	else
		CHECK(hand_result(second) == -WEIR_EPEER);
	sys_handle_close(ep);
}

/* Nobody receives: the handle that was to travel is still there. */
void scene_handle(void)
{
	handle_t n = (handle_t)sys_ntfn_create(), caller;
	struct weir_msg m = { .handle = n };

	ep = (handle_t)sys_ep_create();
	caller = (handle_t)sys_handle_dup(ep, WEIR_R_WRITE, 0);
	CHECK(sys_handle_close(ep) == 0);
	CHECK(sys_ipc_call(caller, &m) == -WEIR_EPEER);
	CHECK(sys_ntfn_signal(n, 1) == 0);
	CHECK(sys_handle_close(n) == 0);
	sys_handle_close(caller);
}

/* A page that is in memory and in a slot, too, dies: both are free. */
#define SLOT_PAGES 256u

void scene_slot(void)
{
	struct weir_system before, after;
	handle_t mem;
	volatile char *page = pages_map(SLOT_PAGES, &mem);

	account_reclaim(&before);
	for (unsigned i = 0; i < SLOT_PAGES; i++)
		page[i * PAGE] = 1;
	account_reclaim(&after);
	for (unsigned i = 0; i < SLOT_PAGES; i++)
		CHECK(page[i * PAGE] == 1);
	pages_unmap((void *)page, SLOT_PAGES);
	sys_handle_close(mem);
	account_reclaim(&after); /* other pages move a little */
	CHECK(after.swap_free + SLOT_PAGES / 2 > before.swap_free);
}
