/*
 * init.c - the reclaim workload on Linux, as the only program of an initrd.
 *
 * The workload is Weir's (user/bench/wl_core.h); here is what it needs of
 * Linux, and what makes the machine like Weir's: swap on a RAM disk of
 * wl.swap= MiB, no read-ahead of swap, and memory pinned until wl.F= MiB are
 * free. The kernel's command line has the parameters: wl.T= W= ops= seed=
 * variant=threads|procs, and wl.runs=A,B,... : the workload runs once for
 * each, a percentage of stores or a trace. It prints `WL {JSON}` a phase, with the keys of Weir's `wl --json`,
 * `WL {"memfree_kb":N}` first and `WL done` last. What goes wrong is a line
 * `WL failed: WHY`, and the machine is switched off.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "user/bench/wl_core.h"

#define MIB (1ull << 20)
#define DISK "/dev/ram0"

static struct shm {
	pthread_barrier_t barrier;
	struct shared s;
} *shm;

static struct worker {
	void (*fn)(unsigned);
	unsigned id;
	pthread_t thread;
	pid_t pid;
} workers[MAXT];

static unsigned cpus;
static char cmdline[4096];
static char text[1 << 18]; /* the file that was read last */

static void power_off(void)
{
	fflush(stdout);
	reboot(RB_POWER_OFF);
}

static void die(const char *what)
{
	printf("WL failed: %s: %s\n", what, strerror(errno));
	if (getpid() == 1)
		power_off();
	fflush(stdout);
	_exit(1);
}

/* ---- what the workload needs ------------------------------------------- */
static void *os_map(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static uint64_t os_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}

static uint64_t os_majors(void)
{
	struct rusage used;

	getrusage(RUSAGE_THREAD, &used);
	return used.ru_majflt;
}

static void pin(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % cpus, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	pin(w->id);
	w->fn(w->id);
	return NULL;
}

static void os_start(unsigned id, int procs, void (*fn)(unsigned))
{
	struct worker *w = &workers[id];

	w->id = id;
	w->fn = fn;
	if (!procs) {
		errno = pthread_create(&w->thread, NULL, worker_main, w);
		if (errno)
			die("pthread_create");
		return;
	}
	fflush(stdout);
	w->pid = fork();
	if (w->pid < 0)
		die("fork");
	if (w->pid == 0) {
		worker_main(w);
		_exit(0);
	}
}

/* One that died would leave the others at the barrier, so it is no use to
 * do more than say so: whoever started the machine limits its time. */
static void os_join_all(unsigned n, int procs)
{
	for (unsigned i = 0; i < n; i++) {
		int status = 0;

		if (procs)
			waitpid(workers[i].pid, &status, 0);
		else
			pthread_join(workers[i].thread, NULL);
		if (status)
			printf("WL failed: worker %u: %#x\n", i, status);
	}
}

static void os_barrier_init(unsigned n)
{
	pthread_barrierattr_t shared;

	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	if (pthread_barrier_init(&shm->barrier, &shared, n))
		die("pthread_barrier_init");
}

static void os_barrier(unsigned id)
{
	(void)id;
	pthread_barrier_wait(&shm->barrier);
}

static struct shared *os_shared(void)
{
	return &shm->s;
}

/* ---- counters ---------------------------------------------------------- */
/* `kernel` is a line of /proc/vmstat, or with '*' the sum of those that
 * begin so, or with '#' a row of /proc/interrupts. */
static const struct {
	const char *key, *kernel;
} fields[] = {
	{ "pswpin", "pswpin" },
	{ "pswpout", "pswpout" },
	{ "pgsteal_kswapd", "pgsteal_kswapd" },
	{ "pgsteal_direct", "pgsteal_direct" },
	{ "allocstall", "*allocstall_" },
	{ "pgfault", "pgfault" },
	{ "pgmajfault", "pgmajfault" },
	{ "pgactivate", "pgactivate" },
	{ "nr_tlb_remote_flush", "nr_tlb_remote_flush" },
	{ "nr_tlb_remote_flush_received", "nr_tlb_remote_flush_received" },
	{ "irq_tlb", "#TLB:" },
	{ "irq_cal", "#CAL:" },
};
#define NFIELDS (sizeof(fields) / sizeof(*fields))
_Static_assert(NFIELDS <= NSTAT, "struct stats is too small");

static int known[NFIELDS]; /* this kernel counts it */

static void slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	size_t n = 0;
	ssize_t got;

	if (fd < 0)
		die(path);
	while ((got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += got;
	close(fd);
	text[n] = '\0';
}

static void add_vmstat(struct stats *s, const char *name, uint64_t value)
{
	for (unsigned i = 0; i < NFIELDS; i++) {
		const char *k = fields[i].kernel;

		if (*k == '*' ? strncmp(name, k + 1, strlen(k + 1)) == 0 :
				strcmp(name, k) == 0) {
			s->v[i] += value;
			known[i] = 1;
		}
	}
}

static uint64_t row_sum(const char *p)
{
	uint64_t sum = 0;

	for (;;) {
		char *end;
		uint64_t n = strtoull(p, &end, 10);

		if (end == p)
			return sum;
		sum += n;
		p = end;
	}
}

static void os_stats(struct stats *s)
{
	unsigned long long value;
	char name[64];
	int used;

	memset(s, 0, sizeof(*s));
	slurp("/proc/vmstat");
	for (const char *p = text;
	     sscanf(p, "%63s %llu%n", name, &value, &used) == 2; p += used)
		add_vmstat(s, name, value);
	slurp("/proc/interrupts");
	for (unsigned i = 0; i < NFIELDS; i++) {
		const char *k = fields[i].kernel;
		const char *row = *k == '#' ? strstr(text, k + 1) : NULL;

		if (row) {
			s->v[i] = row_sum(row + strlen(k + 1));
			known[i] = 1;
		}
	}
}

static void os_emit(const char *phase, const struct params *p,
		    const struct outcome *o, const struct stats *a,
		    const struct stats *b)
{
	printf("WL {");
	print_outcome(phase, p, cpus, o);
	for (unsigned i = 0; i < NFIELDS; i++)
		if (known[i])
			printf(",\"%s\":%llu", fields[i].key,
			       (unsigned long long)(b->v[i] - a->v[i]));
		else
			printf(",\"%s\":null", fields[i].key);
	printf("}\n");
	fflush(stdout);
}

/* ---- the machine ------------------------------------------------------- */
static const char *option(const char *key)
{
	static char value[128];
	char pattern[32];
	const char *p;

	snprintf(pattern, sizeof(pattern), " wl.%s=", key);
	p = strstr(cmdline, pattern);
	if (!p || sscanf(p + strlen(pattern), "%127[^ \n]", value) != 1) {
		errno = EINVAL;
		die(key);
	}
	return value;
}

static uint64_t number(const char *key)
{
	return strtoull(option(key), NULL, 10);
}

static void put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		die(path);
	close(fd);
}

static uint64_t memfree_kb(void)
{
	const char *p;

	slurp("/proc/meminfo");
	p = strstr(text, "MemFree:");
	return p ? strtoull(p + strlen("MemFree:"), NULL, 10) : 0;
}

static void load_ramdisk(uint64_t mib)
{
	char words[64];
	int fd = open("/brd.ko", O_RDONLY);

	snprintf(words, sizeof(words), "rd_nr=1 rd_size=%llu",
		 (unsigned long long)mib << 10);
	if (fd < 0 || syscall(SYS_finit_module, fd, words, 0))
		die("brd.ko");
	close(fd);
	unlink("/brd.ko");
}

/* All of the disk is written first: it has memory only for what was. */
static void swap_on(uint64_t mib)
{
	char *b = os_map(MIB);
	uint32_t *head = (uint32_t *)(b + 1024);
	int fd;

	load_ramdisk(mib);
	fd = open(DISK, O_RDWR | O_DIRECT);
	if (fd < 0)
		die(DISK);
	memset(b, 0, MIB);
	for (uint64_t i = 0; i < mib; i++)
		if (pwrite(fd, b, MIB, i * MIB) != (ssize_t)MIB)
			die("filling " DISK);
	head[0] = 1;
	head[1] = mib * MIB / PAGE - 1;
	memcpy(b + PAGE - 10, "SWAPSPACE2", 10);
	if (pwrite(fd, b, PAGE, 0) != PAGE)
		die("swap header");
	munmap(b, MIB);
	close(fd);
	if (swapon(DISK, 0))
		die("swapon");
}

/* Pins memory until `mib` are free. Pinning takes a little of its own
 * (page tables), so it is done in steps. */
static void pin_all_but(uint64_t mib)
{
	for (int i = 0; i < 3; i++) {
		uint64_t have = memfree_kb() << 10, want = mib * MIB, size;
		char *p;

		if (have <= want + 64 * 1024)
			return;
		size = (have - want) & ~(uint64_t)(PAGE - 1);
		p = os_map(size);
		/* Or a child's mlockall would copy it. */
		madvise(p, size, MADV_DONTFORK);
		if (mlock(p, size))
			die("mlock");
	}
}

static void prepare(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	if (mount("proc", "/proc", "proc", 0, NULL) ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL) ||
	    mount("dev", "/dev", "devtmpfs", 0, NULL))
		die("mount");
	slurp("/proc/cmdline");
	snprintf(cmdline, sizeof(cmdline), " %.4000s", text);
	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	put("/proc/sys/vm/page-cluster", "0");
	swap_on(number("swap"));
	put("/proc/sys/vm/drop_caches", "3");
	pin_all_but(number("F"));
	printf("WL {\"memfree_kb\":%llu}\n", (unsigned long long)memfree_kb());
}

/* In a process of its own, whose memory is gone afterwards. */
static void run(const struct params *p)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		shm = mmap(NULL, sizeof(*shm), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (shm == MAP_FAILED || mlockall(MCL_CURRENT))
			die("the runner's memory");
		pin(0);
		if (p->trace.kind)
			core_trace(p);
		else
			core_run(p);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (status)
		printf("WL failed: the runner: %#x\n", status);
}

/* The workload for an item of wl.runs. */
static void run_item(struct params *p, const char *item)
{
	memset(&p->trace, 0, sizeof(p->trace));
	if (trace_parse(item, &p->trace)) {
		p->dirty = 0;
	} else {
		p->trace.kind = TRACE_NONE;
		p->dirty = strtoull(item, NULL, 10);
	}
	run(p);
}

int main(void)
{
	struct params p;
	char list[128];

	printf("WL start\n");
	prepare();
	p = (struct params){ .T = number("T"), .W = number("W"),
			     .ops = number("ops"), .seed = number("seed"),
			     .procs = !strcmp(option("variant"), "procs") };
	if (p.T < 1 || p.T > MAXT)
		die("wl.T");
	snprintf(list, sizeof(list), "%s", option("runs"));
	for (char *item = strtok(list, ","); item; item = strtok(NULL, ","))
		run_item(&p, item);
	printf("WL done\n");
	power_off();
}
