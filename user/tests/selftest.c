/*
 * selftest - the system calls and the runtime, as a program sees them:
 * threads, barriers, messages, notifications, handles, memory, children,
 * and the error that each wrong use gets. One line for each failure; the
 * last line counts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/tests/check.h"


#define MS 1000000ull

/* --- threads ------------------------------------------------------------- */
#define PARTIES 6
#define ROUNDS 50

static struct ubarrier barrier;
static unsigned visits[ROUNDS];

static void party(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;
	double mine = id; /* the FPU state is each thread's own */

	errno = (int)id + 100;
	for (unsigned i = 0; i < ROUNDS; i++) {
		__atomic_add_fetch(&visits[i], 1, __ATOMIC_RELAXED);
		mine += 0.5;
		ubarrier_wait(&barrier, id);
		CHECK(__atomic_load_n(&visits[i], __ATOMIC_RELAXED) ==
		      PARTIES);
	}
	CHECK(mine == id + ROUNDS * 0.5);
	CHECK(errno == (int)id + 100);
}

static void test_threads(void)
{
	struct uthread *t[PARTIES];
	struct weir_system s;

	system_read(&s);
	CHECK(ubarrier_init(&barrier, NULL, PARTIES) == 0);
	for (unsigned i = 0; i < PARTIES; i++)
		t[i] = uthread_start(party, (void *)(uintptr_t)i,
				     (int)(i % s.cpus));
	for (unsigned i = 0; i < PARTIES; i++) {
		CHECK(t[i] != NULL);
		if (t[i])
			uthread_join(t[i]);
	}
	for (unsigned cpu = 0; cpu < s.cpus; cpu++) {
		CHECK(uthread_pin((int)cpu) == 0);
		uthread_yield();
		CHECK(uthread_cpu() == (int)cpu);
		sleep_ns(1000000); /* this CPU's timer ends it */
	}
	CHECK(uthread_pin(63) == (s.cpus == 64 ? 0 : -WEIR_EINVAL));
	CHECK(sys_thread_ctl(0, WEIR_THREAD_PRIO, 32) == -WEIR_EINVAL);
	sys_thread_ctl(0, WEIR_THREAD_AFFINITY,
		       s.cpus == 64 ? ~0ull : (1ull << s.cpus) - 1);
}

/* --- messages ------------------------------------------------------------ */
static void echo_server(void *arg)
{
	handle_t ep = *(handle_t *)arg;
	struct weir_msg m;

	CHECK(sys_ipc_recv(ep, &m) == 0);
	while (m.label) {
		m.w[0] += m.badge;
		CHECK(sys_ipc_reply_recv(ep, &m) == 0);
	}
	sys_ipc_reply(&m);
}

/* A message there and back, its words, its badge, and its handle. */
static void test_echo(handle_t ep)
{
	long badged = sys_handle_dup(ep, WEIR_R_WRITE | WEIR_R_DUP, 1000);
	struct weir_msg m = { .label = 7, .w = { 1, 2, 3, 4, 5 } };
	long ntfn = sys_ntfn_create();

	CHECK(badged > 0 && ntfn > 0);
	m.handle = (handle_t)ntfn;
	CHECK(sys_ipc_call((handle_t)badged, &m) == 0);
	CHECK(m.label == 7 && m.w[0] == 1001 && m.w[1] == 2 && m.w[2] == 3);
	CHECK(m.w[3] == 4 && m.w[4] == 5 && m.handle != 0 && m.badge == 0);
	CHECK(sys_ntfn_signal(m.handle, 1) == 0);
	if (m.handle != (handle_t)ntfn) /* it moved: the old one is gone */
		CHECK(sys_ntfn_signal((handle_t)ntfn, 1) == -WEIR_EHANDLE);
	sys_handle_close(m.handle);
	CHECK(sys_handle_dup((handle_t)badged, WEIR_R_ALL, 5) ==
	      -WEIR_ERIGHTS);
	CHECK(sys_ipc_recv((handle_t)badged, &m) == -WEIR_ERIGHTS);
	m = (struct weir_msg){ 0 };
	CHECK(sys_ipc_call((handle_t)badged, &m) == 0);
	sys_handle_close((handle_t)badged);
}

static void test_messages(void)
{
	handle_t ep = (handle_t)sys_ep_create();
	struct weir_msg m = { .label = 1, .handle = 12345678 };
	struct uthread *server = uthread_start(echo_server, &ep, -1);

	CHECK(server != NULL);
	CHECK(sys_ipc_call(ep, &m) == -WEIR_EHANDLE);
	m = (struct weir_msg){ 0 };
	CHECK(sys_ipc_reply(&m) == -WEIR_EPEER);
	CHECK(sys_ipc_call(0, &m) == -WEIR_EHANDLE);
	CHECK(sys_ipc_call(startup->self, &m) == -WEIR_EHANDLE);
	if (server) {
		test_echo(ep);
		uthread_join(server);
	}
	long call = sys_handle_dup(ep, WEIR_R_WRITE, 0);

	CHECK(sys_handle_close(ep) == 0);
	CHECK(sys_ipc_call((handle_t)call, &m) == -WEIR_EPEER);
	CHECK(sys_handle_close((handle_t)call) == 0);
}

/* --- notifications ------------------------------------------------------- */
static void test_notifications(void)
{
	handle_t n = (handle_t)sys_ntfn_create();
	uint64_t bits, before = now_ns();
	long weak;

	CHECK(sys_ntfn_signal(n, 0x15) == 0);
	CHECK(sys_ntfn_wait(n, 0x05, 0, &bits) == 0 && bits == 0x05);
	CHECK(sys_ntfn_wait(n, ~0ull, 0, &bits) == 0 && bits == 0x10);
	CHECK(sys_ntfn_wait(n, 1, before + 20 * MS, &bits) ==
	      -WEIR_ETIMEOUT);
	CHECK(now_ns() >= before + 20 * MS);
	weak = sys_handle_dup(n, WEIR_R_WAIT, 0);
	CHECK(sys_ntfn_signal((handle_t)weak, 1) == -WEIR_ERIGHTS);
	CHECK(sys_handle_dup((handle_t)weak, WEIR_R_ALL, 0) == -WEIR_ERIGHTS);
	CHECK(sys_handle_close((handle_t)weak) == 0);
	CHECK(sys_handle_close((handle_t)weak) == -WEIR_EHANDLE);
	CHECK(sys_handle_close(n) == 0);
	CHECK(sys_ntfn_wait(n, 1, 0, &bits) == -WEIR_EHANDLE);
}

/* --- memory -------------------------------------------------------------- */
static void test_memory(void)
{
	const unsigned rw = WEIR_P_READ | WEIR_P_WRITE;
	handle_t self = startup->self, mem;
	char *a = pages_map(4, &mem), *b;
	long va;

	CHECK(a != NULL && a[0] == 0 && a[3 * WEIR_PAGE_SIZE] == 0);
	va = sys_mem_map(self, mem, 1, 0, 2, rw); /* the middle, again */
	CHECK(va > 0);
	b = (char *)va;
	b[5] = 'x';
	CHECK(a[WEIR_PAGE_SIZE + 5] == 'x');
	CHECK(sys_mem_protect(self, (uint64_t)va, 2, WEIR_P_READ) == 0);
	CHECK(b[5] == 'x');
	CHECK(sys_mem_protect(self, (uint64_t)va, 2,
			      rw | WEIR_P_EXEC) == -WEIR_EINVAL);
	CHECK(sys_sys_info(WEIR_INFO_COUNTERS, 0, b,
			   2 * WEIR_PAGE_SIZE) == -WEIR_EFAULT);
	CHECK(sys_klog((char *)WEIR_USER_TOP, 8) == -WEIR_EFAULT);
	CHECK(sys_klog((char *)-4096ull, 8) == -WEIR_EFAULT);
	CHECK(sys_mem_map(self, mem, 3, 0, 2, rw) == -WEIR_EINVAL);
	CHECK(sys_mem_map(self, mem, 0, 123, 1, rw) == -WEIR_EINVAL);
	CHECK(sys_mem_map(self, mem, 0, ~4095ull, 1, rw) == -WEIR_EINVAL);
	CHECK(sys_mem_map(self, mem, 0, WEIR_USER_TOP - WEIR_PAGE_SIZE, 2,
			  rw) == -WEIR_EINVAL);
	CHECK(sys_mem_create(0, 0) == -WEIR_EINVAL);
	CHECK(sys_mem_create(~0ull, 0) == -WEIR_EINVAL);
	CHECK(sys_mem_unmap(self, (uint64_t)va, 2) == 0);
	CHECK(a[WEIR_PAGE_SIZE + 5] == 'x');
	va = sys_handle_dup(mem, WEIR_R_READ, 0);
	CHECK(sys_mem_map(self, (handle_t)va, 0, 0, 1, rw) == -WEIR_ERIGHTS);
	sys_handle_close((handle_t)va);
	sys_handle_close(mem);
	pages_unmap(a, 4);
}

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* malloc, and some of libc on top of it. */
static void test_heap(void)
{
	char *zeros = calloc(1000, 3);
	size_t size = 1;
	char *p[16];
	int v[] = { 5, -3, 9, 0 };

	CHECK(zeros && !zeros[0] && !zeros[2999]);
	free(zeros);
	for (int i = 0; i < 16; i++, size *= 3) {
		p[i] = malloc(size % 200000 + 1);
		CHECK(p[i] && (uintptr_t)p[i] % 16 == 0);
		memset(p[i], i, size % 200000 + 1);
	}
	for (int i = 0; i < 16; i++) {
		p[i] = realloc(p[i], 300000);
		CHECK(p[i] && p[i][0] == i);
		free(p[i]);
	}
	qsort(v, 4, sizeof(v[0]), by_value);
	CHECK(v[0] == -3 && v[1] == 0 && v[2] == 5 && v[3] == 9);
	size = SIZE_MAX / 4;
	__asm__ volatile("" : "+r"(size)); /* no warning about a huge size */
	CHECK(calloc(size, 8) == NULL);
}

/* --- other programs ------------------------------------------------------ */
static int run(char *const argv[], const struct spawn_options *options)
{
	struct child child;
	int status = -1;

	if (spawn(argv[0], argv, options, &child) < 0)
		return -1;
	return child_wait(&child, &status) < 0 ? -1 : status;
}

static void test_children(void)
{
	const struct spawn_options weak = { .privileged = false };
	char *usage[] = { "poweroff", "x", NULL };
	char *refused[] = { "poweroff", "0", NULL };
	char *none[] = { "nosuch", NULL };
	char *fault[] = { "crash", "null", NULL };
	struct child child;
	long task;

	for (int i = 0; i < 3; i++) { /* a task that never runs */
		task = sys_task_create(0, "never", 5, 0, NULL);
		CHECK(task > 0);
		CHECK(sys_handle_give((handle_t)task, (handle_t)task,
				      WEIR_R_ALL) > 0);
		CHECK(sys_handle_close((handle_t)task) == 0);
	}
	CHECK(spawn("nosuch", none, NULL, &child) == -WEIR_ENOSYS);
	CHECK(spawn("VERSION", none, NULL, &child) == -WEIR_ENOSYS);
	CHECK(spawn("./VERSION", none, NULL, &child) < 0);
	CHECK(run(usage, &weak) == STATUS_USAGE);
	CHECK(run(refused, &weak) == 1); /* not privileged */
	CHECK(run(fault, &weak) == STATUS_FAULT);
}

/* What was there at the beginning is there at the end, many children later. */
static void test_nothing_leaks(void)
{
	char *argv[] = { "crash", NULL };
	const struct spawn_options quiet = { .no_console = true };
	struct weir_system before, after;

	run(argv, &quiet);
	system_read(&before);
	for (int i = 0; i < 50; i++)
		CHECK(run(argv, &quiet) == STATUS_USAGE);
	system_read(&after);
	/* The last child may still be on its way out. */
	CHECK(after.frames_free + after.frames_anon + 64 >=
	      before.frames_free + before.frames_anon);
}

int main(void)
{
	CHECK(weir_syscall(WEIR_NSYSCALLS, 0, 0, 0, 0, 0, 0) ==
	      -WEIR_ENOSYS);
	CHECK(weir_syscall(-1, 0, 0, 0, 0, 0, 0) == -WEIR_ENOSYS);
	test_threads();
	test_messages();
	test_notifications();
	test_memory();
	test_heap();
	test_children();
	test_nothing_leaks();
	printf("selftest: %u checks, %u failed\n", checks, failures);
	return failures ? 1 : 0;
}
