/*
 * window.c - the kernel's promises, each where it is hardest to keep.
 *
 *   window [SCENE...]
 *
 * A scene holds a window open, between two steps of the kernel, and does what
 * must not matter then: no race is met by luck. tests/mutants.py says which
 * planted bug each must catch. Prints a line for what is wrong; exit status 1
 * if there was one. Without a name all scenes are played.
 */
#include <string.h>

#include "user/tests/window/window.h"

static const struct scene {
	const char *name;
	void (*play)(void);
} scenes[] = {
	{ "reference", scene_reference },
	{ "wake", scene_wake },
	{ "enter", scene_enter },
	{ "address", scene_address },
	{ "generation", scene_generation },
	{ "client", scene_client },
	{ "handle", scene_handle },
	{ "slot", scene_slot },
};
#define NSCENES (sizeof(scenes) / sizeof(*scenes))

static unsigned checks, failures;

void check(bool good, const char *what, const char *file, int line)
{
	checks++;
	if (good)
		return;
	failures++;
	printf("%s:%d: not so: %s\n", file, line, what);
	out_flush();
}

/* --- hands ---------------------------------------------------------------- */
#define STACK_PAGES 4

static void work(uint64_t arg)
{
	struct hand *h = (struct hand *)arg;
	long (*job)(void *);

	for (;;) {
		while (!(job = __atomic_load_n(&h->job, __ATOMIC_SEQ_CST)))
			__builtin_ia32_pause();
		h->result = job(h->arg);
		__atomic_store_n(&h->job, NULL, __ATOMIC_SEQ_CST);
	}
}

void hand_start(struct hand *h, int cpu)
{
	char *stack = pages_map(STACK_PAGES, NULL);
	long thread;

	memset(stack, 0, STACK_PAGES * PAGE); /* it faults no more */
	memset(h, 0, sizeof(*h));
	thread = sys_thread_create(startup->self, (uintptr_t)work,
				   (uintptr_t)stack + STACK_PAGES * PAGE - 8,
				   (uintptr_t)h);
	CHECK(thread > 0);
	h->thread = (handle_t)thread;
	CHECK(sys_thread_ctl(h->thread, WEIR_THREAD_AFFINITY,
			     1ull << cpu) == 0);
}

void hand_do(struct hand *h, long (*job)(void *), void *arg)
{
	h->arg = arg;
	__atomic_store_n(&h->job, job, __ATOMIC_SEQ_CST);
}

bool hand_done(struct hand *h)
{
	return !__atomic_load_n(&h->job, __ATOMIC_SEQ_CST);
}

bool hand_waits(struct hand *h)
{
	struct weir_object_info info;

	CHECK(sys_object_info(h->thread, &info, sizeof(info)) == 0);
	return info.thread.state != 0;
}

long hand_result(struct hand *h)
{
	while (!hand_done(h))
		__builtin_ia32_pause();
	return h->result;
}

long hand_call(struct hand *h, long (*job)(void *), void *arg)
{
	hand_do(h, job, arg);
	return hand_result(h);
}

/* --- all of it ------------------------------------------------------------ */
static bool play(const char *name)
{
	for (unsigned i = 0; i < NSCENES; i++)
		if (strcmp(name, scenes[i].name) == 0) {
			scenes[i].play();
			return true;
		}
	eprintf("window: no scene %s\n", name);
	return false;
}

int main(int argc, char **argv)
{
	struct weir_system sys;

	system_read(&sys);
	if (sys.cpus < CPUS) {
		eprintf("window: needs %d CPUs\n", CPUS);
		return STATUS_USAGE;
	}
	uthread_pin(0);
	for (int i = 1; i < argc; i++)
		if (!play(argv[i]))
			return STATUS_USAGE;
	for (unsigned i = 0; argc == 1 && i < NSCENES; i++)
		scenes[i].play();
	printf("window: %u checks, %u failed\n", checks, failures);
	return failures ? 1 : 0;
}
