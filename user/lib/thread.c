/*
 * thread.c - threads of one task, a lock and a barrier for them.
 *
 * A thread owns one mapping: a page left unmapped as a guard, its stack, and
 * at the top its struct uthread with its TCB. The joiner unmaps it, so the
 * thread's last steps, from saying that it is done, use no memory.
 */
#include <string.h>

#include "user/lib/internal.h"
#include "user/lib/weir_user.h"

#define STACK_PAGES 16u

struct uthread {
	struct tcb tcb;
	void (*fn)(void *arg);
	void *arg;
	int cpu;
	handle_t thread;
	handle_t ended; /* notification: bit 0 */
	char *base;     /* of the mapping, its guard page excluded */
};

/* Says that it is over and leaves, without touching its stack. */
static void __attribute__((noreturn)) leave(handle_t ended)
{
	__asm__ volatile("syscall\n\t"
			 "movl %[exit], %%eax\n\t"
			 "syscall\n\t"
			 "ud2"
			 :
			 : "a"((long)WEIR_SYS_ntfn_signal),
			   "D"((uint64_t)ended), "S"(1ul),
			   [exit] "i"(WEIR_SYS_thread_exit)
			 : "rcx", "r11", "memory");
	__builtin_unreachable();
}

__attribute__((force_align_arg_pointer, noreturn))
static void thread_main(struct uthread *t)
{
	tcb_install(&t->tcb);
	if (t->cpu >= 0)
		uthread_pin(t->cpu);
	t->fn(t->arg);
	leave(t->ended);
}

struct uthread *uthread_start(void (*fn)(void *), void *arg, int cpu)
{
	char *map = pages_map(STACK_PAGES + 1, NULL);
	struct uthread *t;
	long ended, thread;

	if (!map)
		return NULL;
	pages_unmap(map, 1); /* the guard */
	map += WEIR_PAGE_SIZE;
	t = (void *)(map + STACK_PAGES * WEIR_PAGE_SIZE - sizeof(*t));
	t = (void *)((uintptr_t)t & ~63ull);
	ended = sys_ntfn_create();
	*t = (struct uthread){ .fn = fn, .arg = arg, .cpu = cpu,
			       .ended = (handle_t)ended, .base = map };
	thread = ended < 0 ? ended
			   : sys_thread_create(startup->self,
					       (uintptr_t)thread_main,
					       (uintptr_t)t, (uintptr_t)t);
	if (thread < 0) {
		if (ended > 0)
			sys_handle_close((handle_t)ended);
		pages_unmap(map, STACK_PAGES);
		return NULL;
	}
	t->thread = (handle_t)thread;
	return t;
}

void uthread_join(struct uthread *t)
{
	while (sys_ntfn_wait(t->ended, 1, 0, NULL) < 0)
		uthread_yield();
	sys_handle_close(t->ended);
	sys_handle_close(t->thread);
	pages_unmap(t->base, STACK_PAGES);
}

int uthread_cpu(void)
{
	return (int)sys_thread_ctl(0, WEIR_THREAD_CPU, 0);
}

long uthread_pin(int cpu)
{
	return sys_thread_ctl(0, WEIR_THREAD_AFFINITY, 1ull << cpu);
}

void uthread_yield(void)
{
	sys_thread_ctl(0, WEIR_THREAD_YIELD, 0);
}

void ulock_take(struct ulock *l)
{
	while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE))
		uthread_yield();
}

void ulock_drop(struct ulock *l)
{
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}

long ubarrier_init(struct ubarrier *b, struct ubarrier_state *shared,
		   unsigned n)
{
	*b = (struct ubarrier){ .state = shared ? shared : &b->own };
	if (n == 0 || n > UBARRIER_MAX)
		return -WEIR_EINVAL;
	*b->state = (struct ubarrier_state){ .n = n };
	for (unsigned i = 0; i * 64 < n; i++) {
		long h = sys_ntfn_create();

		if (h < 0)
			return h;
		b->ntfn[i] = (handle_t)h;
	}
	return 0;
}

/* The last one wakes the others, each by its own bit. A bit that is left
 * from an earlier round only makes its owner look again. */
void ubarrier_wait(struct ubarrier *b, unsigned id)
{
	struct ubarrier_state *s = b->state;
	uint32_t round = __atomic_load_n(&s->generation, __ATOMIC_ACQUIRE);

	if (__atomic_add_fetch(&s->arrived, 1, __ATOMIC_ACQ_REL) == s->n) {
		__atomic_store_n(&s->arrived, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&s->generation, round + 1, __ATOMIC_RELEASE);
		for (unsigned i = 0; i * 64 < s->n; i++)
			sys_ntfn_signal(b->ntfn[i], ~0ull);
		return;
	}
	while (__atomic_load_n(&s->generation, __ATOMIC_ACQUIRE) == round)
		sys_ntfn_wait(b->ntfn[id / 64], 1ull << (id % 64), 0, NULL);
}
