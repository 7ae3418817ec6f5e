/*
 * sys_memory.c - the system calls on memory: objects, what is mapped, pagers.
 *
 * A pager's pages travel through a page of the kernel's own, so that no copy to
 * or from user memory, which may fault and sleep, is made while a request is
 * held.
 */
#include "kernel/syscall.h"
#include "mm/aspace.h"
#include "mm/pager.h"

int64_t sys_mem_create(struct trapframe *tf, const struct cap *cap)
{
	const struct task *self = current()->task;
	bool wired = ARG1(tf) == WEIR_MEM_WIRED;

	if (ARG0(tf) == 0 || ARG0(tf) > MEMOBJ_MAX_PAGES ||
	    (ARG1(tf) && !wired))
		return -WEIR_EINVAL;
	if (wired && !self->as->system)
		return -WEIR_EPERM;
	return give_handle(WEIR_OBJ_MEM, wired ? memobj_create_block(ARG0(tf)) :
			   memobj_create(ARG0(tf), NULL, self->account),
			   WEIR_R_ALL);
}

/* Of the rights on memory the numbers are those of enum weir_prot. */
#define MEM_RIGHTS (WEIR_R_READ | WEIR_R_WRITE | WEIR_R_EXEC)

static struct aspace *space_of(const struct cap *task)
{
	return ((struct task *)task->object)->as;
}

int64_t sys_mem_map(struct trapframe *tf, const struct cap *task)
{
	struct cap *mem = &current()->other;
	uint64_t va = ARG3(tf);
	int status = lookup(ARG1(tf), WEIR_OBJ_MEM, WEIR_R_READ, mem);

	if (status)
		return status;
	status = aspace_map(space_of(task), mem->object, ARG2(tf), &va,
			    ARG4(tf), ARG5(tf), mem->rights & MEM_RIGHTS);
	return status ? status : (int64_t)va;
}

int64_t sys_mem_unmap(struct trapframe *tf, const struct cap *task)
{
	return aspace_unmap(space_of(task), ARG1(tf), ARG2(tf));
}

int64_t sys_mem_protect(struct trapframe *tf, const struct cap *task)
{
	return aspace_protect(space_of(task), ARG1(tf), ARG2(tf), ARG3(tf));
}

int64_t sys_mem_clone(struct trapframe *tf, const struct cap *mem)
{
	struct memobj *clone;
	int status = memobj_clone(mem->object, current()->task->account,
				  &clone);

	return status ? status : give_handle(WEIR_OBJ_MEM, clone, WEIR_R_ALL);
}

int64_t sys_mem_pin(struct trapframe *tf, const struct cap *mem)
{
	struct memobj *obj = mem->object;
	uint64_t page = ARG1(tf), n = ARG2(tf);
	int status = 0;

	if (!current()->as->system)
		return -WEIR_EPERM;
	if (obj->wired || n > obj->npages || page > obj->npages - n)
		return -WEIR_EINVAL;
	for (uint64_t i = 0; !status && i < n; i++) {
		if (ARG3(tf))
			status = memobj_pin(obj, page + i);
		else
			memobj_unpin(obj, page + i);
	}
	return status;
}

/* ---- pagers -------------------------------------------------------------- */

int64_t sys_pager_create(struct trapframe *tf, const struct cap *ntfn)
{
	struct pager_client client = { ntfn_signal, object_put, ntfn->object,
				       1ull << ARG1(tf) % 64 };
	struct memobj *obj;

	if (ARG1(tf) > 63 || ARG2(tf) == 0 || ARG2(tf) > MEMOBJ_MAX_PAGES)
		return -WEIR_EINVAL;
	struct pager *p = pager_create(ARG2(tf), client, ARG3(tf),
				       current()->task->account, &obj);
	if (!p)
		return -WEIR_ENOMEM;
	object_get(ntfn->object);
	int64_t mem = give_handle(WEIR_OBJ_MEM, obj, WEIR_R_ALL);
	int64_t h = give_handle(WEIR_OBJ_PAGER, p, WEIR_R_ALL);
	if (mem < 0 || h < 0) {
		/* An error names no handle. */
		handle_close(&current()->task->handles, mem);
		handle_close(&current()->task->handles, h);
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
