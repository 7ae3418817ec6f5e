/*
 * syscall.c - the table of system calls, and those on handles.
 *
 * Nothing in the trap frame is trusted: every call checks all its arguments
 * before it has an effect. What a call looks up is held in its thread, and put
 * back here, on every way out.
 */
#include "kernel/syscall.h"

#include "kernel/abi/test.h"

#define WEIR_R_0 0

static const struct {
	int64_t (*fn)(struct trapframe *tf, const struct cap *cap);
	uint8_t object, right; /* of the first argument */
} table[WEIR_NSYSCALLS] = {
#define SYSCALL(nr, name, object, right, ...) \
	[nr] = { sys_##name, WEIR_OBJ_##object, WEIR_R_##right },
#include "kernel/abi/syscalls.def"
};

static int64_t dispatch(struct trapframe *tf)
{
	struct thread *t = current();
	uint64_t nr = tf->rax;
	int64_t result = 0;

	if (nr >= WEIR_NSYSCALLS)
		return -WEIR_ENOSYS;
	if (table[nr].object != WEIR_OBJ_NONE)
		result = lookup(ARG0(tf), table[nr].object, table[nr].right,
				&t->cap);
	if (!result)
		result = table[nr].fn(tf, &t->cap);
	cap_drop(&t->cap);
	if (!PLANTED(W1) || result >= 0)
		cap_drop(&t->other);
	return result;
}

void kernel_syscall(struct trapframe *tf)
{
	struct task *task = current()->task;
	bool burnt = false;

	stat_add(WEIR_C_syscalls, 1);
	/* A test's. What is left to do here must be done here, so no thread
	 * on the fast path may enter user mode for us: SYSRET will not do. */
	if (task->fuse) {
		tf->rflags |= RFLAGS_RF;
		burnt = __atomic_sub_fetch(&task->fuse, 2,
					   __ATOMIC_RELAXED) < 2;
	}
	if (!burnt || task->fuse & 1)
		tf->rax = dispatch(tf);
	if (burnt)
		task_kill(task, WEIR_TEST_FUSE);
}

int copy_text(char *text, size_t size, uint64_t from, uint64_t n)
{
	if (n >= size)
		return -WEIR_EINVAL;
	if (copy_from_user(text, from, n))
		return -WEIR_EFAULT;
	while (n && text[n - 1] == '\n')
		n--;
	text[n] = 0;
	for (char *c = text; c < text + n; c++)
		if ((*c < 0x20 && *c != '\t') || *c == 0x7f)
			*c = '?';
	return 0;
}

/* Puts `cap` into the table of `to`, or back. */
static int64_t give_cap(struct task *to, struct cap cap)
{
	int64_t h = handle_insert(&to->handles, cap);

	if (h < 0)
		cap_put(cap);
	return h;
}

int64_t give_handle(enum weir_object type, void *object, unsigned rights)
{
	struct cap cap = { .type = type, .rights = rights, .object = object };

	return object ? give_cap(current()->task, cap) : -WEIR_ENOMEM;
}

/* ---- handles ------------------------------------------------------------- */

/* Puts a copy of what `h` names into the table of `to`: no more than `rights`,
 * and `badge`, if there is one; a badge is for good. */
static int64_t copy_handle(uint64_t h, struct task *to, unsigned rights,
			   uint64_t badge)
{
	struct cap *from = &current()->other, copy;
	int64_t result = lookup(h, WEIR_OBJ_NONE, WEIR_R_DUP, from);

	if (result)
		return result;
	copy = *from;
	copy.rights &= rights;
	if (badge)
		copy.badge = badge;
	if (from->badge && copy.badge != from->badge)
		return -WEIR_ERIGHTS;
	cap_get(copy);
	return give_cap(to, copy);
}

int64_t sys_handle_dup(struct trapframe *tf, const struct cap *none)
{
	return copy_handle(ARG0(tf), current()->task, ARG1(tf), ARG2(tf));
}

int64_t sys_handle_close(struct trapframe *tf, const struct cap *cap)
{
	return handle_close(&current()->task->handles, ARG0(tf));
}

int64_t sys_handle_give(struct trapframe *tf, const struct cap *task)
{
	return copy_handle(ARG1(tf), task->object, ARG2(tf), 0);
}
