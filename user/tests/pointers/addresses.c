/*
 * addresses.c - arguments that are addresses, or ranges of them: of mappings,
 * and of a thread's first instruction and stack.
 */
#include "user/tests/pointers/pointers.h"

#define AT (WINDOW + 0x100000000ull)
#define SELF (startup->self)

/* Of a page, or more: not aligned, outside of user space, wrapped. */
static const struct {
	uint64_t va, npages;
} bad_ranges[] = {
	{ AT + 1, 1 }, { AT + PAGE / 2, 1 }, { AT, 0 },
	{ WEIR_USER_TOP, 1 }, { WEIR_USER_TOP - PAGE, 2 },
	{ 1ull << 47, 1 }, { 1ull << 63, 1 }, { 0xffff7ffffffff000, 1 },
	{ 0xffffffff80000000, 1 }, { 0xffff800000000000, 1 },
	{ -PAGE, 1 }, { -PAGE, 2 }, { -PAGE, 1ull << 52 },
	{ AT, 1ull << 36 }, { AT, 1ull << 51 }, { AT, 1ull << 52 },
	{ AT, ~0ull }, { AT, (1ull << 52) - AT / PAGE },
};
#define NRANGES (sizeof(bad_ranges) / sizeof(bad_ranges[0]))

static const uint64_t bad_addresses[] = {
	WEIR_USER_TOP + 1, (1ull << 47) - 1, 1ull << 47, 1ull << 62,
	1ull << 63, 0xffff7fffffffffff, 0xffff800000000000,
	0xffffffff80100000, ~0ull,
};
#define NADDRESSES (sizeof(bad_addresses) / sizeof(bad_addresses[0]))

static handle_t memory(uint64_t npages)
{
	return (handle_t)sys_mem_create(npages, 0);
}

static long map_at(handle_t mem, uint64_t va, uint64_t npages)
{
	return sys_mem_map(SELF, mem, 0, va, npages, READ_WRITE);
}

static void test_map(void)
{
	handle_t mem = memory(1 << 20);

	for (unsigned i = 0; i < NRANGES; i++)
		expect(map_at(mem, bad_ranges[i].va, bad_ranges[i].npages) ==
		       -WEIR_EINVAL, "no range to be mapped");
	expect(map_at(mem, PAGE, 1) == -WEIR_EINVAL &&
	       map_at(mem, WEIR_USER_BASE - PAGE, 2) == -WEIR_EINVAL,
	       "the lowest pages stay empty");
	expect(map_at(mem, WINDOW, 1) == -WEIR_EBUSY, "it is taken");
	expect(map_at(mem, WINDOW - PAGE, 2) == -WEIR_EBUSY,
	       "its end is taken");
	expect(map_at(mem, WINDOW + PAGE, 3) == -WEIR_EBUSY,
	       "its start is taken");
	expect(map_at(mem, AT, 1) == (long)AT, "a free page");
	expect(map_at(mem, WEIR_USER_TOP - PAGE, 1) ==
	       (long)(WEIR_USER_TOP - PAGE), "the last page");
	expect(map_at(mem, WEIR_USER_BASE, 1) == (long)WEIR_USER_BASE,
	       "the first page");
	sys_mem_unmap(SELF, AT, 1);
	sys_mem_unmap(SELF, WEIR_USER_TOP - PAGE, 1);
	sys_mem_unmap(SELF, WEIR_USER_BASE, 1);
	sys_handle_close(mem);
}

/* At AT, with 1 and 2 in them. */
static handle_t two_pages(void)
{
	handle_t mem = memory(2);
	volatile uint8_t *p = (uint8_t *)AT;

	expect(map_at(mem, AT, 2) == (long)AT, "two pages");
	p[0] = 1;
	p[PAGE] = 2;
	return mem;
}

static void test_unmap(void)
{
	handle_t mem = two_pages();
	volatile uint8_t *p = (uint8_t *)AT;

	for (unsigned i = 0; i < NRANGES; i++)
		expect(sys_mem_unmap(SELF, bad_ranges[i].va,
				     bad_ranges[i].npages) == -WEIR_EINVAL,
		       "no range to be unmapped");
	expect(p[0] == 1 && p[PAGE] == 2, "nothing is gone");
	expect(swap_out(AT + PAGE), "it goes");
	expect(sys_mem_unmap(SELF, AT + PAGE, 2) == 0, "over the end");
	expect(p[0] == 1, "the first is there");
	expect(sys_mem_unmap(SELF, AT, 1) == 0, "the first");
	expect(sys_mem_unmap(SELF, AT, 2) == 0, "nothing");
	expect(sys_mem_unmap(SELF, 0, 2) == 0, "what is never mapped");
	sys_handle_close(mem);
}

static void test_protect(void)
{
	handle_t mem = two_pages();
	volatile uint8_t *p = (uint8_t *)AT;

	for (unsigned i = 0; i < NRANGES; i++)
		expect(sys_mem_protect(SELF, bad_ranges[i].va,
				       bad_ranges[i].npages, WEIR_P_READ) ==
		       -WEIR_EINVAL, "no range to be protected");
	expect(sys_mem_protect(SELF, AT + PAGE, 2, WEIR_P_READ) ==
	       -WEIR_EFAULT, "over the end");
	expect(sys_mem_protect(SELF, AT - PAGE, 2, WEIR_P_READ) ==
	       -WEIR_EFAULT, "over the start");
	expect(sys_mem_protect(SELF, 0, 1, WEIR_P_READ) == -WEIR_EFAULT,
	       "what is never mapped");
	p[0]++;
	p[PAGE]++; /* they may be written, or this would be the end */
	expect(swap_out(AT) && swap_out(AT + PAGE), "they go");
	expect(sys_mem_protect(SELF, AT, 2, WEIR_P_READ) == 0, "both");
	expect(p[0] == 2 && p[PAGE] == 3, "they are what they were");
	sys_mem_unmap(SELF, AT, 2);
	sys_handle_close(mem);
}

/* A thread's first instruction: refused, or the fault of a task of its own,
 * which is told at that address. */
static void start_at(uint64_t ip)
{
	handle_t ep = (handle_t)sys_ep_create();
	handle_t task = (handle_t)sys_task_create(ep, "astray", 6, 0, NULL);
	long thread = sys_thread_create(task, ip, AT, 0);
	struct weir_msg m = { 0 };

	expect(thread > 0, "a thread starts");
	expect(sys_ipc_recv(ep, &m) == 0 && m.label == WEIR_MSG_FAULT &&
	       m.w[0] == WEIR_FAULT_PAGE && m.w[1] == ip && m.w[2] == ip,
	       "and faults there");
	m = (struct weir_msg){ .label = 1 };
	sys_ipc_reply(&m); /* it is killed */
	expect(sys_ipc_recv(ep, &m) == 0 && m.label == WEIR_MSG_EXIT &&
	       (int64_t)m.w[0] == -WEIR_EFAULT, "it alone dies");
	sys_handle_close((handle_t)thread);
	sys_handle_close(task);
	sys_handle_close(ep);
}

static void test_ip(void)
{
	handle_t task = (handle_t)sys_task_create(0, "never", 5, 0, NULL);

	expect(sys_thread_create(task, WEIR_USER_TOP, AT, 0) == -WEIR_EINVAL,
	       "the end of user space");
	for (unsigned i = 0; i < NADDRESSES; i++)
		expect(sys_thread_create(task, bad_addresses[i], AT, 0) ==
		       -WEIR_EINVAL, "no address of an instruction");
	sys_handle_close(task);
	start_at(0);
	start_at(AT);
	start_at(WEIR_USER_TOP - 1);
}

static void test_sp(void)
{
	handle_t task = (handle_t)sys_task_create(0, "never", 5, 0, NULL);

	for (unsigned i = 0; i < NADDRESSES; i++) {
		expect(sys_thread_create(task, AT, bad_addresses[i], 0) ==
		       -WEIR_EINVAL, "no stack");
		expect(sys_thread_ctl(0, WEIR_THREAD_FSBASE,
				      bad_addresses[i]) == -WEIR_EINVAL,
		       "no FS base");
	}
	sys_handle_close(task);
}

bool test_address(unsigned nr, const char *name)
{
	switch (nr) {
	case WEIR_SYS_mem_map:
		test_map();
		return true;
	case WEIR_SYS_mem_unmap:
		test_unmap();
		return true;
	case WEIR_SYS_mem_protect:
		test_protect();
		return true;
	case WEIR_SYS_thread_create:
		if (strcmp(name, "ip") == 0)
			test_ip();
		else
			test_sp();
		return true;
	}
	return false;
}

/* --- two at once ---------------------------------------------------------- */
static handle_t contested;
static uint64_t round_now, round_done, mapped; /* atomic */

static void map_unmap(uint64_t round)
{
	long va = map_at(contested, AT, 2), error;

	if (va == (long)AT)
		__atomic_add_fetch(&mapped, 1, __ATOMIC_RELAXED);
	else
		expect(va == -WEIR_EBUSY, "one has mapped it");
	error = sys_mem_protect(SELF, AT + PAGE * (round % 2), 1, WEIR_P_READ);
	expect(error == 0 || error == -WEIR_EFAULT, "it is there or not");
	expect(sys_mem_unmap(SELF, AT, 2) == 0, "it is unmapped");
}

static void second(void *arg)
{
	uint64_t rounds = (uintptr_t)arg;

	for (uint64_t i = 1; i <= rounds; i++) {
		while (__atomic_load_n(&round_now, __ATOMIC_ACQUIRE) < i)
			uthread_yield();
		map_unmap(i);
		__atomic_store_n(&round_done, i, __ATOMIC_RELEASE);
	}
}

void test_address_races(uint64_t rounds)
{
	struct weir_system sys;
	struct uthread *other;

	system_read(&sys);
	contested = memory(2);
	other = uthread_start(second, (void *)rounds,
			      (uthread_cpu() + 1) % (int)sys.cpus);
	if (!expect(other, "a second thread starts"))
		return;
	for (uint64_t i = 1; i <= rounds; i++) {
		mapped = 0;
		__atomic_store_n(&round_now, i, __ATOMIC_RELEASE);
		map_unmap(i + 1);
		while (__atomic_load_n(&round_done, __ATOMIC_ACQUIRE) < i)
			uthread_yield();
		expect(mapped >= 1, "at least one of two has mapped it");
	}
	uthread_join(other);
	expect(map_at(contested, AT, 2) == (long)AT, "nothing is left there");
	sys_mem_unmap(SELF, AT, 2);
	sys_handle_close(contested);
}
