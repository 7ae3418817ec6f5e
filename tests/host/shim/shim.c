/*
 * shim.c - the host's side of shim.h.
 */
#include "shim.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/panic.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/print.h"
#include "arch/x86_64/spin.h"
#include "arch/x86_64/time.h"
#include "kernel/param.h"
#include "kernel/stat.h"
#include "kernel/sync.h"
#include "kernel/thread.h"
#include "mm/inject.h"
#include "mm/oracle.h"
#include "mm/planted.h"
#include "mm/point.h"

char shim_ram[SHIM_RAM_BYTES] __attribute__((aligned(4096)));
uint64_t shim_early = 4ull << 20;
uint64_t shim_stats[WEIR_NCOUNTERS];
struct thread shim_thread;

__thread unsigned shim_cpu;
unsigned shim_cpus = 1;
static struct cpu cpus[MAX_CPUS];
static bool irqs_off[MAX_CPUS];
static int panic_fd = -1; /* in a child of expect_panic */

/* A driver may have its own. */
__attribute__((weak)) struct params params;

#ifdef PLANT
/* The bug that WEIR_PLANT names is planted. */
__attribute__((constructor)) static void plant(void)
{
	const char *name = getenv("WEIR_PLANT"), *const *names = PLANTED_NAMES;
	uint64_t n = sizeof(PLANTED_NAMES) / sizeof(*names);

	if (!name || !*name)
		return;
	while (params.planted < n && strcmp(names[params.planted], name) != 0)
		params.planted++;
	CHECK(params.planted < n);
}
#endif

/* ---- Verdicts ---- */

_Noreturn void shim_fail(const char *file, int line, const char *text)
{
	fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, text);
	exit(1);
}

_Noreturn void panic(const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (panic_fd < 0) {
		fprintf(stderr, "panic: %s\n", text);
		abort();
	}
	if (write(panic_fd, text, n) != n)
		_exit(2);
	_exit(42);
}

void expect_panic(void (*fn)(void *), void *arg, const char *text)
{
	char got[512];
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	CHECK(pipe(fds) == 0);
	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		panic_fd = fds[1];
		fn(arg);
		_exit(0);
	}
	close(fds[1]);
	n = read(fds[0], got, sizeof(got) - 1);
	close(fds[0]);
	got[n > 0 ? n : 0] = 0;
	CHECK(waitpid(pid, &status, 0) == pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 42 &&
	    strstr(got, text))
		return;
	fprintf(stderr, "CHECK failed: expected a panic with '%s', "
		"got status %d, '%s'\n", text, status, got);
	exit(1);
}

static uint64_t seed_state = 88172645463325252ull;

uint64_t shim_seed(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) :
				   (uint64_t)time(NULL) << 16 ^ getpid();

	printf("seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	seed_state = seed ? seed : 1;
	return seed;
}

uint64_t shim_random(void)
{
	seed_state ^= seed_state << 13;
	seed_state ^= seed_state >> 7;
	seed_state ^= seed_state << 17;
	return seed_state;
}

void kprintf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

/* ---- CPUs, memory, time ---- */

struct cpu *this_cpu(void)
{
	return cpu_of(shim_cpu);
}

struct cpu *cpu_of(unsigned id)
{
	cpus[id].id = id;
	return &cpus[id];
}

unsigned cpu_id(void)
{
	return shim_cpu;
}

unsigned cpu_count(void)
{
	return shim_cpus;
}

bool irq_enabled(void)
{
	return !irqs_off[shim_cpu];
}

uint64_t irq_save(void)
{
	bool was_on = irq_enabled();

	irq_disable();
	return was_on;
}

void irq_restore(uint64_t flags)
{
	if (flags)
		irq_enable();
}

void irq_enable(void)
{
	irqs_off[shim_cpu] = false;
}

void irq_disable(void)
{
	irqs_off[shim_cpu] = true;
}

/* Without mm/inject.c nothing fails on purpose. */
__attribute__((weak)) uint64_t inject_hit(struct inject *p)
{
	return 0;
}

__attribute__((weak)) bool inject_task(struct inject *p, unsigned flags)
{
	return false;
}

__attribute__((weak)) void shim_relax(void)
{
}

uint64_t early_alloc(uint64_t npages)
{
	uint64_t pa = shim_early;

	shim_early += npages * 4096;
	CHECK(shim_early <= SHIM_RAM_BYTES);
	return pa;
}

uint64_t early_end(void)
{
	return shim_early;
}

__attribute__((weak)) uint64_t time_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* ---- Locks and threads ---- */

#define NAME(name) #name,
static const char *const names[] = { LOCK_ORDER(NAME) };

void spin_init(struct spinlock *l, enum lock_rank rank)
{
	pthread_mutex_init(&l->mutex, NULL);
	l->owner = 0;
	l->rank = rank;
}

void spin_lock(struct spinlock *l)
{
	uint32_t *held = &cpus[shim_cpu].locks_held;

	if (*held >> l->rank)
		panic("lock order: cpu %u takes the lock '%s', holds %x",
		      shim_cpu, names[l->rank], *held);
	pthread_mutex_lock(&l->mutex);
	l->owner = shim_cpu + 1;
	*held |= 1u << l->rank;
}

void spin_unlock(struct spinlock *l)
{
	if (l->owner != shim_cpu + 1)
		panic("%s: unlock by one who does not hold it",
		      names[l->rank]);
	l->owner = 0;
	cpus[shim_cpu].locks_held &= ~(1u << l->rank);
	pthread_mutex_unlock(&l->mutex);
}

bool spin_held(struct spinlock *l)
{
	return l->owner == shim_cpu + 1;
}

void waitq_init(struct waitq *wq)
{
	pthread_cond_init(&wq->cond, NULL);
}

__attribute__((weak)) bool waitq_wait(struct waitq *wq,
				      struct spinlock *release,
				      uint64_t deadline_ns)
{
	uint64_t now = time_ns(), at;
	struct timespec ts;

	if (cpus[shim_cpu].locks_held != 1u << release->rank)
		panic("sleeping with locks %x held", cpus[shim_cpu].locks_held);
	release->owner = 0;
	cpus[shim_cpu].locks_held = 0;
	clock_gettime(CLOCK_REALTIME, &ts);
	at = ts.tv_nsec + (deadline_ns > now ? deadline_ns - now : 0);
	ts.tv_sec += at / 1000000000;
	ts.tv_nsec = at % 1000000000;
	if (deadline_ns)
		pthread_cond_timedwait(&wq->cond, &release->mutex, &ts);
	else
		pthread_cond_wait(&wq->cond, &release->mutex);
	pthread_mutex_unlock(&release->mutex);
	return true;
}

void waitq_sleep_until(struct waitq *wq, struct spinlock *release,
		       uint64_t deadline_ns)
{
	waitq_wait(wq, release, deadline_ns);
}

void waitq_sleep(struct waitq *wq, struct spinlock *release)
{
	waitq_sleep_until(wq, release, 0);
}

void waitq_wake_all(struct waitq *wq)
{
	pthread_cond_broadcast(&wq->cond);
}

void waitq_wake(struct waitq *wq, unsigned max)
{
	while (max--)
		pthread_cond_signal(&wq->cond);
}

void mutex_init(struct mutex *m)
{
	pthread_mutex_init(&m->mutex, NULL);
}

void mutex_lock(struct mutex *m)
{
	pthread_mutex_lock(&m->mutex);
}

void mutex_unlock(struct mutex *m)
{
	pthread_mutex_unlock(&m->mutex);
}

void thread_sleep_ns(uint64_t ns)
{
	struct timespec ts = { ns / 1000000000, ns % 1000000000 };

	if (cpus[shim_cpu].locks_held)
		panic("sleeping with locks %x held", cpus[shim_cpu].locks_held);
	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

struct start {
	void (*fn)(void *);
	void *arg;
	unsigned cpu;
};

static void *run(void *arg)
{
	struct start s = *(struct start *)arg;

	free(arg);
	shim_cpu = s.cpu;
	s.fn(s.arg);
	return NULL;
}

void thread_create_kernel(const char *name, void (*fn)(void *), void *arg,
			  unsigned prio)
{
	struct start *s = malloc(sizeof(*s));
	pthread_t t;

	(void)name;
	(void)prio;
	*s = (struct start){ fn, arg, 63 };
	CHECK(pthread_create(&t, NULL, run, s) == 0);
	pthread_detach(t);
}

/* ---- No oracle and no points, where a driver does not link them ---- */

#define OFF __attribute__((weak))

OFF bool oracle_on;
OFF uint64_t points_armed;

OFF void oracle_init(void)
{
}

OFF uint64_t oracle_moment(void)
{
	return 0;
}

OFF void oracle_changed(struct aspace *as, uint64_t va, pte_t old, pte_t now)
{
}

OFF void oracle_allocated(struct frame *f, uint64_t n)
{
}

OFF void oracle_freed(struct frame *f, uint64_t n)
{
}

OFF void oracle_io(struct frame *f, bool into)
{
}

OFF void oracle_tables_free(struct aspace *as)
{
}

OFF void point_reached(enum weir_point p)
{
}
