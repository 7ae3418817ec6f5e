/*
 * objects.c - the kernel's objects and calls, each promise of abi/weir.h
 * with a check: handles, rights, IPC and the death of either side,
 * notifications, threads, FPU state, faults, kills, and no leak by any.
 *
 *   objects [seed=N]
 *
 * Prints a line for what is wrong; exit status 1 if there was one.
 */
#include <string.h>

#include "user/lib/weir_user.h"

#define PAGE WEIR_PAGE_SIZE
#define NS_PER_MS 1000000ull

static unsigned failures, checks;

#define CHECK(x)                                                       \
	do {                                                           \
		checks++;                                              \
		if (!(x)) {                                            \
			failures++;                                    \
			printf("objects: line %d: not so: %s\n", __LINE__, \
			       #x);                                    \
		}                                                      \
	} while (0)

static uint64_t rng = 1;

static uint64_t random64(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static uint64_t free_pages(void)
{
	struct counters c;

	counters_read(&c);
	return c.v[WEIR_C_nr_free_pages];
}

/* --- handles ------------------------------------------------------------- */
static void test_handles(void)
{
	static handle_t h[1100];
	handle_t n = (handle_t)sys_ntfn_create(), weak;
	unsigned i;

	CHECK(sys_ntfn_signal(0, 1) == -WEIR_EHANDLE);
	CHECK(sys_ntfn_signal(0xffffffff, 1) == -WEIR_EHANDLE);
	CHECK(sys_ntfn_signal(startup->self, 1) == -WEIR_EHANDLE);
	weak = (handle_t)sys_handle_dup(n, WEIR_R_WAIT, 0);
	CHECK(sys_ntfn_signal(weak, 1) == -WEIR_ERIGHTS);
	CHECK(sys_handle_dup(weak, WEIR_R_ALL, 0) == -WEIR_ERIGHTS);
	CHECK(sys_handle_close(weak) == 0);
	CHECK(sys_handle_close(weak) == -WEIR_EHANDLE);
	for (i = 0; i < 1100; i++) {
		long got = sys_handle_dup(n, WEIR_R_ALL, 0);

		if (got < 0) {
			CHECK(got == -WEIR_EFULL);
			break;
		}
		h[i] = (handle_t)got;
	}
	CHECK(i > 900 && i < 1024);
	while (i-- > 0)
		CHECK(sys_handle_close(h[i]) == 0);
	CHECK(sys_ntfn_signal(h[0], 1) == -WEIR_EHANDLE);
	CHECK(sys_handle_close(n) == 0);
}

/* --- notifications ------------------------------------------------------- */
static void test_ntfn(void)
{
	handle_t n = (handle_t)sys_ntfn_create();
	uint64_t bits = 0, start = now_ns();

	CHECK(sys_ntfn_signal(n, 5) == 0);
	CHECK(sys_ntfn_wait(n, 4, 0, &bits) == 0 && bits == 4);
	CHECK(sys_ntfn_wait(n, ~0ull, 0, &bits) == 0 && bits == 1);
	CHECK(sys_ntfn_wait(n, 1, start + 20 * NS_PER_MS, NULL) ==
	      -WEIR_ETIMEOUT);
	CHECK(now_ns() >= start + 20 * NS_PER_MS);
	sys_handle_close(n);
}

/* --- IPC ----------------------------------------------------------------- */
enum { ECHO = 1, MOVE, DROP, DIE, QUIT };

static handle_t server_ep;

static void serve(void *arg)
{
	struct weir_msg m;

	(void)arg;
	long status = sys_ipc_recv(server_ep, &m);

	while (status == 0) {
		if (m.label == DIE)
			return; /* owes a reply */
		if (m.label == QUIT) {
			sys_ipc_reply(&m);
			return;
		}
		if (m.label == DROP) { /* forgets its client */
			status = sys_ipc_recv(server_ep, &m);
			continue;
		}
		m.w[0] += m.badge;
		status = sys_ipc_reply_recv(server_ep, &m);
	}
}

static void ipc_calls(handle_t ep, handle_t n)
{
	struct weir_msg m;

	for (unsigned i = 0; i < 2000; i++) {
		m = (struct weir_msg){ .label = ECHO,
				       .w = { i, 1, 2, 3, ~0ull } };
		CHECK(sys_ipc_call(ep, &m) == 0);
		CHECK(m.label == ECHO && m.w[0] == i + 77 && m.w[3] == 3 &&
		      m.w[4] == ~0ull && m.handle == 0);
	}
	for (unsigned i = 0; i < 100; i++) {
		m = (struct weir_msg){ .label = MOVE, .handle = n };
		CHECK(sys_ipc_call(ep, &m) == 0);
		CHECK(m.handle != 0);
		CHECK(sys_ntfn_signal(n, 1) == -WEIR_EHANDLE);
		n = m.handle;
		CHECK(sys_ntfn_signal(n, 1) == 0);
	}
	m = (struct weir_msg){ .label = MOVE, .handle = 12345 };
	CHECK(sys_ipc_call(ep, &m) == -WEIR_EHANDLE);
	m = (struct weir_msg){ .label = DROP };
	struct uthread *other = uthread_start(serve, NULL, -1);

	m.label = DIE;
	CHECK(sys_ipc_call(ep, &m) == -WEIR_EPEER);
	m.label = QUIT;
	CHECK(sys_ipc_call(ep, &m) == 0);
	uthread_join(other);
	sys_handle_close(n);
}

static void test_ipc(void)
{
	server_ep = (handle_t)sys_ep_create();
	handle_t client = (handle_t)sys_handle_dup(server_ep, WEIR_R_WRITE,
						   77);
	struct uthread *t = uthread_start(serve, NULL, -1);
	struct weir_msg m = { 0 };

	CHECK(sys_ipc_recv(client, &m) == -WEIR_ERIGHTS);
	CHECK(sys_handle_dup(client, WEIR_R_WRITE, 78) == -WEIR_ERIGHTS);
	CHECK(sys_ipc_reply(&m) == -WEIR_EPEER);
	ipc_calls(client, (handle_t)sys_ntfn_create());
	uthread_join(t);
	/* The last who may receive goes: later calls fail at once. */
	CHECK(sys_handle_close(server_ep) == 0);
	CHECK(sys_ipc_call(client, &m) == -WEIR_EPEER);
	sys_handle_close(client);
}

/* --- threads ------------------------------------------------------------- */
static uint64_t fpu_errors;

/* Keeps a sum in SSE registers while it is preempted and moved around. */
static void fpu_work(void *arg)
{
	double seed = (double)(uintptr_t)arg, x = seed;

	for (unsigned i = 0; i < 2000000; i++) {
		__asm__ volatile("addsd %1, %0" : "+x"(x) : "x"(seed));
		if (i % 100000 == 0)
			uthread_yield();
	}
	if (x != seed * 2000001)
		__atomic_add_fetch(&fpu_errors, 1, __ATOMIC_RELAXED);
}

static void nothing(void *arg)
{
	(void)arg;
}

static void check_cpu(void *arg)
{
	for (unsigned i = 0; i < 100; i++) {
		CHECK(uthread_cpu() == (int)(intptr_t)arg);
		uthread_yield();
	}
}

static void test_threads(void)
{
	struct uthread *t[16];
	struct weir_system sys;

	system_read(&sys);
	for (uintptr_t i = 0; i < 16; i++)
		t[i] = uthread_start(fpu_work, (void *)(i + 1), -1);
	for (unsigned i = 0; i < 16; i++)
		uthread_join(t[i]);
	CHECK(fpu_errors == 0);
	for (uintptr_t cpu = 0; cpu < sys.cpus; cpu++)
		uthread_join(uthread_start(check_cpu, (void *)cpu, (int)cpu));
	CHECK(sys_thread_ctl(0, WEIR_THREAD_AFFINITY, 0) == -WEIR_EINVAL);
	CHECK(sys.cpus == 64 || sys_thread_ctl(0, WEIR_THREAD_AFFINITY,
					       1ull << sys.cpus) ==
					-WEIR_EINVAL);
	CHECK(sys_thread_ctl(0, WEIR_THREAD_PRIO, 32) == -WEIR_EINVAL);
	for (unsigned i = 0; i < 300; i++)
		uthread_join(uthread_start(nothing, NULL, -1));
}

/* --- suspending ---------------------------------------------------------- */
static uint64_t turns, served; /* atomic */

/* A thread without anything of the runtime's, and its handle. */
static handle_t bare_thread(void (*fn)(uint64_t), uint64_t arg, char *stack)
{
	long h = sys_thread_create(startup->self, (uintptr_t)fn,
				   (uintptr_t)stack + PAGE - 8, arg);

	CHECK(h > 0);
	return (handle_t)h;
}

static void turn(uint64_t arg)
{
	(void)arg;
	for (;;)
		__atomic_add_fetch(&turns, 1, __ATOMIC_SEQ_CST);
}

static void serve_calls(uint64_t ep)
{
	struct weir_msg m;

	sys_ipc_recv((handle_t)ep, &m);
	for (;;) {
		__atomic_add_fetch(&served, 1, __ATOMIC_SEQ_CST);
		sys_ipc_reply_recv((handle_t)ep, &m);
	}
}

static void call_once(void *ep)
{
	struct weir_msg m = { .label = 1 };

	CHECK(sys_ipc_call((handle_t)(uintptr_t)ep, &m) == 0);
}

static bool waits(handle_t thread)
{
	struct weir_object_info info;

	CHECK(sys_object_info(thread, &info, sizeof(info)) == 0);
	return info.thread.state != 0;
}

static void wait_for(uint64_t *count, uint64_t more_than)
{
	while (__atomic_load_n(count, __ATOMIC_SEQ_CST) <= more_than)
		uthread_yield();
}

/* A task whose only thread suspends itself; its creator ends it. */
static void test_suspended_child(void)
{
	struct child child;
	char *const argv[] = { "objects", "suspended", NULL };
	int status;

	CHECK(spawn("objects", argv, NULL, &child) == 0);
	CHECK(sys_task_kill(child.task, 5) == 0);
	CHECK(child_wait(&child, &status) == 0 && status == 5);
}

static void test_suspend(void)
{
	char *stacks = pages_map(2, NULL);
	handle_t ep = (handle_t)sys_ep_create();
	handle_t loop = bare_thread(turn, 0, stacks), server;
	struct uthread *client;
	uint64_t n;

	wait_for(&turns, 0);
	CHECK(sys_thread_ctl(loop, WEIR_THREAD_SUSPEND, 0) == 0);
	while (!waits(loop))
		uthread_yield();
	n = __atomic_load_n(&turns, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < 1000; i++)
		uthread_yield();
	CHECK(__atomic_load_n(&turns, __ATOMIC_SEQ_CST) == n);
	CHECK(sys_thread_ctl(loop, WEIR_THREAD_RESUME, 0) == 0);
	wait_for(&turns, n);
	CHECK(sys_thread_ctl(loop, WEIR_THREAD_SUSPEND, 0) == 0);

	/* A server that waits takes the call, but does not run. */
	server = bare_thread(serve_calls, ep, stacks + PAGE);
	call_once((void *)(uintptr_t)ep);
	while (!waits(server))
		uthread_yield();
	n = __atomic_load_n(&served, __ATOMIC_SEQ_CST);
	CHECK(sys_thread_ctl(server, WEIR_THREAD_SUSPEND, 0) == 0);
	client = uthread_start(call_once, (void *)(uintptr_t)ep, -1);
	for (unsigned i = 0; i < 1000; i++)
		uthread_yield();
	CHECK(__atomic_load_n(&served, __ATOMIC_SEQ_CST) == n);
	CHECK(sys_thread_ctl(server, WEIR_THREAD_RESUME, 0) == 0);
	uthread_join(client);
	CHECK(__atomic_load_n(&served, __ATOMIC_SEQ_CST) == n + 1);
	test_suspended_child();
	sys_handle_close(server);
	sys_handle_close(loop);
	sys_handle_close(ep); /* both threads end with this task */
}

/* --- memory -------------------------------------------------------------- */
static void test_memory(void)
{
	handle_t mem = (handle_t)sys_mem_create(4, 0), weak;
	const unsigned rw = WEIR_P_READ | WEIR_P_WRITE;
	long va;

	CHECK(sys_mem_create(0, 0) == -WEIR_EINVAL);
	CHECK(sys_mem_create(~0ull, 0) == -WEIR_EINVAL);
	CHECK(sys_mem_map(startup->self, mem, 0, 0, 4, rw | WEIR_P_EXEC) ==
	      -WEIR_EINVAL);
	CHECK(sys_mem_map(startup->self, mem, 1, 0, 4, rw) < 0);
	CHECK(sys_mem_map(startup->self, mem, 0, WEIR_USER_TOP, 4, rw) < 0);
	CHECK(sys_mem_map(startup->self, mem, 0, 0x5000, 4, rw) < 0);
	weak = (handle_t)sys_handle_dup(mem, WEIR_R_READ, 0);
	CHECK(sys_mem_map(startup->self, weak, 0, 0, 4, rw) ==
	      -WEIR_ERIGHTS);
	va = sys_mem_map(startup->self, weak, 0, 0, 4, WEIR_P_READ);
	CHECK(va > 0);
	CHECK(sys_mem_protect(startup->self, (uint64_t)va, 4, rw) ==
	      -WEIR_ERIGHTS);
	CHECK(sys_mem_unmap(startup->self, (uint64_t)va, 4) == 0);
	CHECK(sys_klog((char *)0xffff800000000000ull, 8) == -WEIR_EFAULT);
	CHECK(sys_klog((char *)16, 8) == -WEIR_EFAULT);
	CHECK(sys_report(WEIR_REPORT_NOTE, "x", 5000) == -WEIR_EINVAL);
	sys_handle_close(weak);
	sys_handle_close(mem);
}

/* --- what a handle names -------------------------------------------------- */
static void test_info(void)
{
	handle_t mem = (handle_t)sys_mem_create(3, 0), pmem, weak;
	handle_t ntfn = (handle_t)sys_ntfn_create(), pager;
	struct weir_object_info i;
	long va = sys_mem_map(startup->self, mem, 0, 0, 3,
			      WEIR_P_READ | WEIR_P_WRITE);

	CHECK(sys_object_info(mem, &i, sizeof(i) - 1) == -WEIR_EINVAL);
	CHECK(sys_object_info(0, &i, sizeof(i)) == -WEIR_EHANDLE);
	CHECK(sys_object_info(mem, (void *)16, sizeof(i)) == -WEIR_EFAULT);
	CHECK(sys_object_info(mem, &i, sizeof(i)) == 0);
	CHECK(i.type == WEIR_OBJ_MEM && i.rights == WEIR_R_ALL && !i.badge);
	CHECK(i.mem.npages == 3 && i.mem.present == 0 && i.mem.pa == 0);
	CHECK(i.mem.refs == 2 && i.mem.kind == WEIR_MEM_IS_ANON);
	((volatile char *)va)[PAGE] = 1;
	weak = (handle_t)sys_handle_dup(mem, 0, 77);
	CHECK(sys_object_info(weak, &i, sizeof(i)) == 0);
	CHECK(i.rights == 0 && i.badge == 77 && i.mem.present == 1);
	CHECK(i.mem.refs == 3);
	CHECK(sys_mem_unmap(startup->self, (uint64_t)va, 3) == 0);
	pager = (handle_t)sys_pager_create(ntfn, 0, 5, 0, &pmem);
	CHECK(sys_object_info(pmem, &i, sizeof(i)) == 0);
	CHECK(i.mem.kind == WEIR_MEM_IS_PAGED && i.mem.npages == 5);
	CHECK(sys_object_info(startup->self, &i, sizeof(i)) == 0);
	CHECK(i.type == WEIR_OBJ_TASK && i.task.alive && i.task.threads == 1);
	CHECK(i.task.id && i.task.resident);
	CHECK(sys_object_info(pager, &i, sizeof(i)) == 0);
	CHECK(i.type == WEIR_OBJ_PAGER && i.room[0] == 0);
	/* Not a system task. */
	CHECK(sys_mem_create(1, WEIR_MEM_WIRED) == -WEIR_EPERM);
	CHECK(sys_mem_create(1, 2) == -WEIR_EINVAL);
	CHECK(sys_ports_narrow(mem, 0, 1) == -WEIR_EHANDLE);
	sys_handle_close(weak);
	sys_handle_close(mem);
	sys_handle_close(pmem);
	sys_handle_close(pager);
	sys_handle_close(ntfn);
}

/* --- children that crash, spin, or are killed ---------------------------- */
static int run_child(const char *how, bool kill, int64_t status)
{
	char *argv[] = { "objects", (char *)how, NULL };
	struct child child;
	int result = -1;

	if (spawn("objects", argv, NULL, &child) < 0)
		return -1;
	if (kill) {
		sleep_ns(random64() % (5 * NS_PER_MS));
		CHECK(sys_task_kill(child.task, status) == 0);
	}
	if (child_wait(&child, &result) < 0)
		return -1;
	return result;
}

static void child_main(const char *how)
{
	handle_t ep = (handle_t)sys_ep_create();
	struct weir_msg m = { 0 };

	if (strcmp(how, "exit") == 0)
		exit(7);
	if (strcmp(how, "page") == 0)
		__asm__ volatile("movb $1, 16");
	if (strcmp(how, "kernel") == 0)
		*(volatile char *)0xffffffff80100000ull = 1;
	if (strcmp(how, "ud") == 0)
		__asm__ volatile("ud2");
	if (strcmp(how, "hlt") == 0)
		__asm__ volatile("hlt");
	if (strcmp(how, "stack") == 0)
		__asm__ volatile("mov $0xffffffff80100000, %rsp\n\tpush %rax");
	if (strcmp(how, "recv") == 0)
		sys_ipc_recv(ep, &m);
	if (strcmp(how, "call") == 0)
		sys_ipc_call(ep, &m);
	for (unsigned i = 0; strcmp(how, "threads") == 0 && i < 4; i++)
		uthread_start((void (*)(void *))child_main, "spin", -1);
	for (;;)
		__builtin_ia32_pause();
}

static void test_children(void)
{
	static const char *const endless[] = { "spin", "recv", "call",
					       "threads" };

	CHECK(run_child("exit", false, 0) == 7);
	CHECK(run_child("page", false, 0) == STATUS_FAULT);
	CHECK(run_child("kernel", false, 0) == STATUS_FAULT);
	CHECK(run_child("ud", false, 0) == STATUS_FAULT);
	CHECK(run_child("hlt", false, 0) == STATUS_FAULT);
	CHECK(run_child("stack", false, 0) == STATUS_FAULT);
	for (unsigned i = 0; i < 24; i++)
		CHECK(run_child(endless[i % 4], true, 50 + i) ==
		      50 + (int)i);
}

/* Tasks that never run, each with the only handle on the one before: all go
 * with the last one. */
static void test_chain(void)
{
	handle_t last = (handle_t)sys_ntfn_create();

	for (unsigned i = 0; i < 300; i++) {
		handle_t t = (handle_t)sys_task_create(0, "link", 4, 0, NULL);

		CHECK(sys_handle_give(t, last, WEIR_R_ALL) > 0);
		CHECK(sys_handle_close(last) == 0);
		last = t;
	}
	CHECK(sys_handle_close(last) == 0);
}

/* --- random calls -------------------------------------------------------- */
static bool harmless(uint64_t nr)
{
	switch (nr) {
	case WEIR_SYS_ipc_call: /* these may wait for ever */
	case WEIR_SYS_ipc_recv:
	case WEIR_SYS_ipc_reply_recv:
	case WEIR_SYS_ntfn_wait:
	case WEIR_SYS_task_kill: /* these end the test */
	case WEIR_SYS_thread_create:
	case WEIR_SYS_thread_exit:
	case WEIR_SYS_handle_close:
	case WEIR_SYS_thread_ctl:
	case WEIR_SYS_sys_ctl:
	case WEIR_SYS_mem_unmap:
	case WEIR_SYS_mem_protect:
	case WEIR_SYS_klog: /* these would be a nuisance */
	case WEIR_SYS_report:
		return false;
	}
	return true;
}

static uint64_t odd_value(void)
{
	static const uint64_t odd[] = { 0, 1, 2, 4096, 0x7ffffffff000,
					0x800000000000, 0xffff800000000000,
					~0ull, 1ull << 63, 0x10000 };
	uint64_t r = random64();

	if (r % 4 == 0)
		return startup->self;
	return r % 4 == 1 ? random64() >> (random64() % 64)
			  : odd[random64() % 10];
}

/* In a child, for what it creates. */
static void random_calls(void)
{
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t nr = random64() % (WEIR_NSYSCALLS + 4);

		if (harmless(nr))
			weir_syscall((long)nr, odd_value(), odd_value(),
				     odd_value(), odd_value(), odd_value(),
				     odd_value());
	}
	exit(3);
}

int main(int argc, char **argv)
{
	uint64_t before, lost;

	if (argc > 1 && !arg_u64(argv[1], "seed", &rng)) {
		if (strcmp(argv[1], "suspended") == 0)
			sys_thread_ctl(0, WEIR_THREAD_SUSPEND, 0);
		if (strcmp(argv[1], "random") == 0)
			random_calls();
		child_main(argv[1]);
	}
	test_handles();
	test_ntfn();
	test_ipc();
	test_threads();
	test_memory();
	test_info();
	test_suspend();
	test_children();
	test_chain();
	/* Once for what is kept on purpose; the second time must be free. */
	before = free_pages();
	test_ipc();
	test_threads();
	test_children();
	test_chain();
	CHECK(run_child("random", false, 0) == 3);
	lost = before - free_pages();
	if ((int64_t)lost > 64)
		printf("objects: %d pages lost\n", (int)lost);
	CHECK((int64_t)lost <= 64);
	printf("objects: %u checks, %u failed\n", checks, failures);
	return failures ? 1 : 0;
}
