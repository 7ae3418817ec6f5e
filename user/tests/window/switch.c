/*
 * switch.c - scenes of a CPU that leaves a space and comes back to it.
 */
#include <string.h>

#include "user/tests/window/window.h"

static handle_t alarm;

static long sleep_and_store(void *va)
{
	sys_ntfn_wait(alarm, 1, 0, NULL);
	return store(va);
}

/* The page goes while the CPU that has it is idle, and so is not asked. */
void scene_lazy(void)
{
	struct hand *toucher = hand_start(CPU_SECOND);
	struct pages p = pages_new(1);

	alarm = (handle_t)sys_ntfn_create();
	CHECK(hand_call(toucher, store, (void *)p.va) == 0);
	hand_do(toucher, sleep_and_store, (void *)p.va);
	CHECK(!hand_ends(toucher));
	pages_drop(&p);
	CHECK(sys_ntfn_signal(alarm, 1) == 0);
	CHECK(hand_result(toucher) == -WEIR_EFAULT);
	sys_handle_close(alarm);
}

/* A task of one thread that counts, and reads a page each time. */
#define CODE_AT 0x40000000ull
#define DATA_AT 0x40001000ull /* the count; behind it the page */

static const uint8_t code[] = {
	0x48, 0xff, 0x07,			  /* inc qword [rdi] */
	0x48, 0x8b, 0x87, 0x00, 0x10, 0x00, 0x00, /* mov rax, [rdi + 4096] */
	0xf3, 0x90,				  /* pause */
	0xeb, 0xf2,				  /* from the start */
};

struct other {
	handle_t task;
	struct hand hand;  /* does no jobs */
	struct pages data; /* here */
};

static void other_start(struct other *o, int cpu)
{
	struct pages text = pages_new(1);
	long thread;

	memcpy((void *)text.va, code, sizeof(code));
	o->data = pages_new(2);
	o->task = (handle_t)sys_task_create(0, "other", 5, 0, NULL);
	CHECK(sys_mem_map(o->task, text.mem, 0, CODE_AT, 1,
			  WEIR_P_READ | WEIR_P_EXEC) == (long)CODE_AT);
	CHECK(sys_mem_map(o->task, o->data.mem, 0, DATA_AT, 2, READ_WRITE) ==
	      (long)DATA_AT);
	thread = sys_thread_create(o->task, CODE_AT, DATA_AT, DATA_AT);
	CHECK(thread > 0);
	o->hand = (struct hand){ .thread = (handle_t)thread, .cpu = cpu };
	CHECK(sys_thread_ctl(o->hand.thread, WEIR_THREAD_AFFINITY,
			     1ull << cpu) == 0);
	pages_drop(&text);
}

/* Waits until it has read the page after now; false: it is dead. */
static bool other_reads(struct other *o)
{
	uint64_t from = *o->data.va;

	while (!hand_waits(&o->hand) && *o->data.va < from + 2)
		__builtin_ia32_pause();
	return *o->data.va >= from + 2;
}

static void other_end(struct other *o)
{
	sys_task_kill(o->task, 0);
	sys_handle_close(o->hand.thread);
	sys_handle_close(o->task);
	pages_drop(&o->data);
}

static long unmap_other(void *o)
{
	return sys_mem_unmap(((struct other *)o)->task, DATA_AT + PAGE, 1);
}

/* Returns when `h` has cleared the PTE, and begins its flush. */
static void begin(struct hand *h, job_fn *take, void *arg)
{
	hold(WEIR_POINT_flush, h);
	hand_do(h, take, arg);
	while (!held(WEIR_POINT_flush) && !hand_done(h))
		__builtin_ia32_pause();
	release(WEIR_POINT_flush);
}

/* A CPU leaves the other's space for ours, and stands at `point`: a page of
 * each is unmapped meanwhile, and gone. */
static void unmap_at(enum weir_point point)
{
	struct hand *first = hand_start(CPU_FIRST);
	struct hand *toucher = hand_start(CPU_SECOND);
	struct hand *third = hand_start(CPU_THIRD);
	struct pages p = pages_new(1);
	struct other o;

	alarm = (handle_t)sys_ntfn_create();
	CHECK(hand_call(toucher, store, (void *)p.va) == 0);
	hand_do(toucher, sleep_and_store, (void *)p.va);
	CHECK(!hand_ends(toucher));
	other_start(&o, CPU_SECOND);
	CHECK(other_reads(&o));
	hold(point, toucher);
	CHECK(sys_ntfn_signal(alarm, 1) == 0);
	await_held(point);
	begin(third, unmap, &p);
	begin(first, unmap_other, &o);
	release(point);
	CHECK(hand_result(third) == 0 && hand_result(first) == 0);
	CHECK(hand_result(toucher) == -WEIR_EFAULT);
	CHECK(!other_reads(&o));
	other_end(&o);
	sys_handle_close(p.mem);
	sys_handle_close(alarm);
}

void scene_cr3(void)
{
	unmap_at(WEIR_POINT_cr3);
}

void scene_loaded(void)
{
	unmap_at(WEIR_POINT_loaded);
}
