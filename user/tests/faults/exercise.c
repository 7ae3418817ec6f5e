/*
 * exercise.c - every call that allocates, once. See exercise.h.
 */
#include "user/tests/faults/exercise.h"

#include "user/tests/check.h"

#define PAGE WEIR_PAGE_SIZE
#define SPAN (1ull << 30) /* mappings that far apart share no page table */
#define PAGES 3u
#define SLOTS 64u
#define THREADS 200u
#define AHEAD 16u

static unsigned told;
static uint64_t at = 0x100000000000; /* where the next mapping goes */
static handle_t ep, ntfn;

static long tell(long result)
{
	told += result == -WEIR_ENOMEM;
	CHECK(result >= 0 || result == -WEIR_ENOMEM);
	return result;
}

static void drop(long handle)
{
	if (handle > 0)
		CHECK(sys_handle_close((handle_t)handle) == 0);
}

static bool begin(void)
{
	long e = tell(sys_ep_create()), n = tell(sys_ntfn_create());

	if (e > 0 && n > 0) {
		ep = (handle_t)e;
		ntfn = (handle_t)n;
		return true;
	}
	drop(e);
	drop(n);
	return false;
}

static void end(void)
{
	drop(ntfn);
	drop(ep);
}

static void reports(void)
{
	tell(sys_report(WEIR_REPORT_NOTE, "", 0));
}

static void use_mapping(handle_t mem, uint64_t va)
{
	*(volatile char *)va = 1; /* this may be the end */
	drop(tell(sys_mem_clone(mem)));
	tell(sys_mem_protect(startup->self, va + PAGE, 1, WEIR_P_READ));
	tell(sys_mem_unmap(startup->self, va, PAGES));
}

static void memory(void)
{
	long mem = tell(sys_mem_create(PAGES, 0));

	at += SPAN;
	if (mem < 0)
		return;
	if (tell(sys_mem_map(startup->self, (handle_t)mem, 0, at, PAGES,
			     WEIR_P_READ | WEIR_P_WRITE)) > 0)
		use_mapping((handle_t)mem, at);
	drop(mem);
}

/* Of memory that was there before; then it is written, and copied. */
static void clones(void)
{
	static volatile char *page;
	static handle_t mem;
	long clone;

	if (!page && (page = pages_map(PAGES, &mem)))
		*page = 1;
	if (!page)
		return;
	clone = tell(sys_mem_clone(mem));
	*page = 1;
	drop(clone);
}

static long make_pager(handle_t *mem)
{
	return tell(sys_pager_create(ntfn, 0, SLOTS, 0, mem));
}

static void pagers(void)
{
	handle_t mem;
	long pager = begin() ? make_pager(&mem) : 0;

	if (pager > 0) {
		drop(pager);
		drop(mem);
	}
	end();
}

/* The pager of a swap device that answers nothing; gone again, it can be
 * replaced by the next one, once its last slot is free. */
static void swapping(void)
{
	handle_t mem;
	long pager = begin() ? make_pager(&mem) : 0, result;

	if (pager > 0) {
		result = sys_sys_ctl(WEIR_CTL_SWAP, mem, 0);
		tell(result == -WEIR_EBUSY ? 0 : result);
		drop(pager);
		drop(mem);
	}
	end();
}

/* A task whose threads fault at their first instruction, and wait for an
 * answer then. `many`: until one is told that there is no memory for its
 * stack; stacks are kept, so the first ones need none. */
static void run_task(bool many)
{
	const struct weir_quota quota = { 1u << 30, 1u << 30, 1u << 30 };
	long task = begin() ? tell(sys_task_create(ep, "exercise", 8, 0,
						   &quota)) : 0;

	if (task > 0) {
		tell(sys_handle_give((handle_t)task, ntfn, WEIR_R_ALL));
		for (unsigned i = 0; i < (many ? THREADS : 1) && !told; i++) {
			long thread = sys_thread_create((handle_t)task,
							WEIR_USER_BASE, 0, 0);
			if (thread == -WEIR_EFULL)
				break; /* as many stacks as memory allows */
			drop(tell(thread));
		}
		CHECK(sys_task_kill((handle_t)task, 0) == 0);
		drop(task);
	}
	end();
}

static void tasks(void)
{
	run_task(false);
}

static void stacks(void)
{
	run_task(true);
}

static void wired(void)
{
	drop(tell(sys_mem_create(2, WEIR_MEM_WIRED)));
}

/* Pages are read back in order: the next ones, too, if there is memory. */
static void ahead(void)
{
	static volatile char *page;
	struct weir_system sys;

	if (!page)
		page = pages_map(AHEAD, NULL);
	if (!page)
		return;
	for (unsigned i = 0; i < AHEAD; i++)
		page[i * PAGE] = (char)(i + 1);
	system_read(&sys);
	CHECK(sys_sys_ctl(WEIR_CTL_RECLAIM, sys.frames_anon, 0) >= 0);
	for (unsigned i = 0; i < AHEAD; i++)
		CHECK(page[i * PAGE] == (char)(i + 1));
}

unsigned exercise(unsigned n)
{
	static void (*const exercises[EXERCISES_ALL])(void) = {
		reports, memory, clones, pagers, tasks,
		stacks, swapping, wired, ahead };

	told = 0;
	ep = ntfn = 0;
	exercises[n]();
	return told;
}
