/*
 * mapped.c - what does it cost to reclaim a page that N tasks have mapped?
 *
 *   mapped [--json] [tasks=1..1000] [pages=N]
 *
 * N tasks of one thread, which is a few instructions in a page that all
 * share, read every page of one memory object and wait. Then half of it is
 * reclaimed: for each page the kernel looks at N page-table entries for the
 * accessed bit, and takes N out; nothing is written, for swap has a copy. A
 * page counts when the first task has lost it. Exit status 1: it could not be
 * done.
 */
#include <stdio.h>
#include <string.h>

#include "user/bench/bench.h"

#define PAGE WEIR_PAGE_SIZE
#define CODE 0x400000ull   /* in each task: one leaf table for both */
#define REGION 0x410000ull
#define PAGES_MAX 256u
#define TASKS_MAX 1000u
#define TOUCHED 1u /* bits of the notification; NEVER is not set */
#define NEVER 2u

/* RDI: how many pages, shifted by 32, and the notification. */
extern const char code[], code_end[];
__asm__("code:\n"
	"	mov %edi, %ebx\n"
	"	shr $32, %rdi\n"
	"	mov $0x410000, %eax\n"
	"1:	movb (%rax), %cl\n"
	"	add $4096, %rax\n"
	"	dec %rdi\n"
	"	jnz 1b\n"
	"	mov %ebx, %edi\n"
	"	mov $1, %esi\n"
	"	mov $6, %eax\n"
	"	syscall\n"
	"2:	mov %ebx, %edi\n"
	"	mov $2, %esi\n"
	"	xor %edx, %edx\n"
	"	xor %r10d, %r10d\n"
	"	mov $7, %eax\n"
	"	syscall\n"
	"	jmp 2b\n"
	"code_end:\n");
_Static_assert(WEIR_SYS_ntfn_signal == 6 && WEIR_SYS_ntfn_wait == 7 &&
	       REGION == 0x410000 && TOUCHED == 1 && NEVER == 2, "code");

static handle_t code_mem, region_mem, ntfn;
static uint64_t ntasks = 1, npages = PAGES_MAX;
static uint32_t first; /* the first task's id */
static bool json;

static void die(const char *what, long error)
{
	printf("mapped: %s: %s\n", what, weir_strerror(error));
	exit(1);
}

static long must(const char *what, long value)
{
	if (value < 0)
		die(what, value);
	return value;
}

/* Its handles stay open: a task ends with its last one. */
static void start_task(void)
{
	handle_t task = must("task", sys_task_create(0, "mapped", 6, 0, NULL));
	uint64_t there = must("handle", sys_handle_give(
		task, ntfn, WEIR_R_WRITE | WEIR_R_WAIT));

	must("code", sys_mem_map(task, code_mem, 0, CODE, 1,
				 WEIR_P_READ | WEIR_P_EXEC));
	must("region", sys_mem_map(task, region_mem, 0, REGION, npages,
				   WEIR_P_READ));
	sys_handle_close(must("thread", sys_thread_create(
		task, CODE, REGION, npages << 32 | there)));
	sys_ntfn_wait(ntfn, TOUCHED, 0, NULL);
}

/* Pages of the region that the first task has mapped. */
static uint64_t resident(void)
{
	struct weir_task t;

	for (uint64_t i = 0;
	     sys_sys_info(WEIR_INFO_TASK, i, &t, sizeof(t)) >= 0; i++)
		if (!strcmp(t.name, "mapped") && (!first || t.id == first)) {
			first = t.id;
			return t.resident;
		}
	die("the first task is gone", 0);
	return 0;
}

static void print(uint64_t unmapped, uint64_t ns, const struct counters *c)
{
	printf(json ? "{\"phase\":\"mapped\",\"dirty\":0,\"tasks\":%llu,"
		      "\"unmapped\":%llu,\"elapsed_ns\":%llu,\"pgscan\":%llu,"
		      "\"pgsteal\":%llu,\"bad\":0,\"lost\":0}\n" :
		      "%llu tasks: %llu pages unmapped in %llu ns, %llu "
		      "frames looked at, %llu reclaimed\n",
	       (unsigned long long)ntasks, (unsigned long long)unmapped,
	       (unsigned long long)ns,
	       (unsigned long long)c->v[WEIR_C_pgscan],
	       (unsigned long long)c->v[WEIR_C_pgsteal]);
}

static void measure(void)
{
	struct counters before, after, count;
	uint64_t start, ns, had = resident();

	counters_read(&before);
	start = now_ns();
	must("reclaim", sys_sys_ctl(WEIR_CTL_RECLAIM, npages / 2, 0));
	ns = now_ns() - start;
	counters_read(&after);
	counters_diff(&count, &after, &before);
	print(had - resident(), ns, &count);
}

static void prepare(void)
{
	struct weir_system sys;
	char *page = pages_map(1, &code_mem);

	ntfn = must("notification", sys_ntfn_create());
	if (!page)
		die("code", -WEIR_ENOMEM);
	memcpy(page, code, code_end - code);
	page = pages_map(npages, &region_mem);
	if (!page)
		die("region", -WEIR_ENOMEM);
	for (uint64_t i = 0; i < npages; i++)
		page[i * PAGE] = 1;
	pages_unmap(page, npages);
	/* All that is read from now on is younger. */
	system_read(&sys);
	must("reclaim", sys_sys_ctl(WEIR_CTL_RECLAIM, sys.frames_anon, 0));
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--json"))
			json = true;
		else if (!arg_u64(argv[i], "tasks", &ntasks) &&
			 !arg_u64(argv[i], "pages", &npages))
			ntasks = 0;
	if (ntasks < 1 || ntasks > TASKS_MAX || npages < 2 ||
	    npages > PAGES_MAX) {
		printf("usage: mapped [--json] [tasks=1..%u] [pages=2..%u]\n",
		       TASKS_MAX, PAGES_MAX);
		return STATUS_USAGE;
	}
	prepare();
	for (uint64_t i = 0; i < ntasks; i++)
		start_task();
	measure();
	return 0;
}
