/*
 * sys_pager.c - the system calls of pagers.
 *
 * Pages travel through a page of the kernel's own, so that no copy to or from
 * user memory, which may fault and sleep, is made while a request is held.
 */
#include "kernel/ntfn.h"
#include "kernel/syscall.h"
#include "mm/aspace.h"
#include "mm/pager.h"

static void release(void *ntfn)
{
	object_put(ntfn);
}

int64_t sys_pager_create(struct trapframe *tf, const struct cap *ntfn)
{
	struct pager_client client = { ntfn_signal, release, ntfn->object,
				       1ull << ARG1(tf) % 64 };
	struct memobj *obj;
	struct pager *p;
	int64_t h, mem;

	if (ARG1(tf) > 63 || ARG2(tf) == 0 || ARG2(tf) > MEMOBJ_MAX_PAGES)
		return -WEIR_EINVAL;
	p = pager_create(ARG2(tf), client, ARG3(tf),
			 current()->task->account, &obj);
	if (!p)
		return -WEIR_ENOMEM;
	object_get(ntfn->object);
	mem = give_handle(WEIR_OBJ_MEM, obj, WEIR_R_ALL);
	h = give_handle(WEIR_OBJ_PAGER, p, WEIR_R_ALL);
	if (mem < 0 || h < 0) {
		handle_close(&current()->task->handles, mem < 0 ? 0 : mem);
		handle_close(&current()->task->handles, h < 0 ? 0 : h);
		return mem < 0 ? mem : h;
	}
	tf->rdx = mem;
	return h;
}

int64_t sys_pager_next(struct trapframe *tf, const struct cap *pager)
{
	struct pager *p = pager->object;
	void *bounce = pager_bounce_take(p);
	struct weir_pager_request r;
	int status = pager_next(p, &r, bounce);

	if (!status) {
		status = copy_to_user(ARG1(tf), &r, sizeof(r));
		if (!status && r.kind == WEIR_PAGER_WRITE)
			status = copy_to_user(ARG2(tf), bounce,
					      WEIR_PAGE_SIZE);
		if (status)
			pager_untake(p, r.cookie);
	}
	pager_bounce_drop(p);
	return status;
}

int64_t sys_pager_done(struct trapframe *tf, const struct cap *pager)
{
	struct pager *p = pager->object;
	void *bounce = pager_bounce_take(p);
	int status = 0;

	if (ARG2(tf))
		status = copy_from_user(bounce, ARG2(tf), WEIR_PAGE_SIZE);
	if (!status)
		status = pager_done(p, ARG1(tf), ARG2(tf) ? bounce : NULL,
				    (int)ARG3(tf));
	pager_bounce_drop(p);
	return status;
}
