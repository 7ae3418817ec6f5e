/*
 * fault.c - making an address usable: find, bring, map.
 *
 * Outcomes of two threads that fault on one page, or of a fault that races:
 *  A the page is in a frame: the first maps it, the second finds it mapped;
 *  B it is in a slot, or with its pager: the first puts an INBOUND frame
 *    into the entry and reads; the others sleep on that frame: one read for
 *    all (I17, Z27);
 *  C reclaim has isolated it: it is mapped again, and reclaim, which looks
 *    again under obj->lock before IO and before freeing, lets it go;
 *  D its bytes are on the way to swap (LAUNDRY): a read maps it without W,
 *    a write waits for the IO, so no slot is ever torn (Z29);
 *  E the region went away meanwhile: the fault starts over and fails.
 * Locks: none held on entry; obj->lock, then as->lock, never across a sleep.
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/panic.h"
#include "arch/x86_64/string.h"
#include "kernel/abi/weir.h"
#include "kernel/stat.h"
#include "kernel/sync.h"
#include "mm/frame.h"
#include "mm/pageio.h"
#include "mm/pagetable.h"
#include "mm/planted.h"
#include "mm/reclaim.h"
#include "mm/swap.h"

/* One fault under way. */
struct fault {
	struct aspace *as;
	uint64_t va; /* page aligned */
	bool write, exec;
	struct memobj *obj; /* a reference is held */
	uint64_t index;     /* page of obj */
	struct frame *spare;
};

/* [fault 2/6] Which object's page belongs at the address? Takes a reference
 * to the object; fails where nothing is mapped or the access is forbidden. */
static int fault_find(struct fault *t)
{
	unsigned need = t->exec ? WEIR_P_EXEC :
			t->write ? WEIR_P_WRITE : WEIR_P_READ;
	int status = -WEIR_EFAULT;
	struct region *r;

	spin_lock(&t->as->lock);
	r = aspace_region(t->as, t->va);
	if (r && !r->dying && (r->prot & need)) {
		t->obj = memobj_get(r->obj);
		t->index = r->offset + (t->va - r->start) / WEIR_PAGE_SIZE;
		status = 0;
	}
	spin_unlock(&t->as->lock);
	return status;
}

/* Puts the spare frame into the entry. Holds obj->lock. */
static struct frame *install_spare(struct fault *t, memobj_entry_t *entry)
{
	struct frame *f = t->spare;

	t->spare = NULL;
	f->obj = t->obj;
	f->index = t->index;
	f->mapcount = 0;
	f->dirty = false;
	f->taken_back = false;
	f->slot = 0;
	*entry = (memobj_entry_t)f;
	return f;
}

/* While swap is nearly full, a page in memory gives its slot up: two places
 * for one page are a luxury then. Holds obj->lock. */
static void release_slot_if_scarce(struct frame *f)
{
	if (!f->slot || !swap_is_tight())
		return;
	swap_slot_free(f->slot);
	f->slot = 0;
	f->dirty = true;
}

/* [fault 4/6] The page is in a slot, or with its pager: reads it, once for
 * all who want it. Holds obj->lock on entry, and on success; 0 or -WEIR_EIO:
 * then the entry is what it was, and those that slept read in their turn
 * (P6). */
static int fault_read(struct fault *t, memobj_entry_t *entry)
{
	memobj_entry_t was = *entry;
	struct pageio io = { .frame = t->spare, .page = t->index,
			     .slot = entry_slot(was),
			     .pager = was ? NULL : t->obj->pager };
	struct frame *f;
	int status;

	f = t->spare;
	if (!PLANTED(Z27)) /* planted: looks again only afterwards */
		install_spare(t, entry);
	frame_set_state(f, FRAME_INBOUND);
	spin_unlock(&t->obj->lock);
	status = pageio_read(&io);
	spin_lock(&t->obj->lock);
	if (PLANTED(Z27) && *entry != was) {
		t->spare = NULL;
		frame_free(f);
		return 0;
	}
	if (PLANTED(Z27))
		install_spare(t, entry);
	stat_add(WEIR_C_pgmajfault, 1);
	if (status) {
		*entry = was;
		f->obj = NULL;
		t->spare = f;
		spin_unlock(&t->obj->lock);
		waitq_wake_all(frame_waitq(f));
		return -WEIR_EIO;
	}
	f->slot = io.slot;
	release_slot_if_scarce(f);
	lru_add_active(f);
	waitq_wake_all(frame_waitq(f));
	return 0;
}

/* [fault 3/6] Brings the page into a frame. On success holds obj->lock and
 * the frame can be mapped (*out); else holds nothing. */
static int fault_bring(struct fault *t, struct frame **out)
{
	for (;;) {
		spin_lock(&t->obj->lock);
		memobj_entry_t *entry = memobj_entry(t->obj, t->index);
		struct frame *f = entry_frame(*entry);

		if (f && f->state != FRAME_INBOUND &&
		    !(f->state == FRAME_LAUNDRY && t->write)) {
			*out = f;
			return 0;
		}
		if (f) { /* outcomes B and D: wait for the IO */
			waitq_sleep(frame_waitq(f), &t->obj->lock);
			continue;
		}
		if (!t->spare) {
			spin_unlock(&t->obj->lock);
			t->spare = frame_alloc(aspace_frame_flags(t->as));
			if (!t->spare)
				return -WEIR_ENOMEM;
			continue;
		}
		if (*entry == 0 && !t->obj->pager) {
			*out = install_spare(t, entry);
			lru_add_active(*out);
			return 0;
		}
		int status = fault_read(t, entry);

		if (status)
			return status;
		*out = entry_frame(*entry);
		if (*out && (*out)->state != FRAME_INBOUND)
			return 0;
		spin_unlock(&t->obj->lock);
	}
}

/* [fault 5/6] Writes the PTE, if the region is still what it was. `pa` is
 * the page, `f` its frame (NULL: wired). Holds obj->lock. False: start over. */
static bool fault_map(struct fault *t, uint64_t pa, struct frame *f)
{
	bool mapped = false;
	struct region *r;

	spin_lock(&t->as->lock);
	r = aspace_region(t->as, t->va);
	pte_t *pte = aspace_pte(t->as, t->va);

	if (r && pte && !r->dying && r->obj == t->obj &&
	    r->offset + (t->va - r->start) / WEIR_PAGE_SIZE == t->index) {
		pte_t flags = pte_flags(r->prot);

		if (f && f->state == FRAME_LAUNDRY)
			flags &= ~(pte_t)PTE_W;
		if (*pte & PTE_P) {
			/* Only ever grants more: no flush is due. */
			pte_or(pte, flags & PTE_W);
			if (!(flags & PTE_NX))
				pte_and(pte, ~(pte_t)PTE_NX);
			tlb_invlpg(t->va);
		} else {
			pte_xchg(pte, pa | flags);
			t->as->resident++;
			if (f)
				f->mapcount++;
		}
		mapped = true;
	}
	spin_unlock(&t->as->lock);
	return mapped;
}

/* Maps the frame and tells reclaim, if it has the frame, that it lost it. */
static bool fault_map_frame(struct fault *t, struct frame *f)
{
	bool mapped = fault_map(t, frame_pa(f), f);

	if (mapped && (f->state == FRAME_ISOLATED ||
		       f->state == FRAME_LAUNDRY) && !f->taken_back) {
		f->taken_back = true;
		stat_add(WEIR_C_refault_laundry, 1);
	}
	return mapped;
}

/* One attempt: 1 to start over, 0 done, below 0 the error. */
static int fault_try(struct fault *t)
{
	struct frame *f = NULL;
	bool mapped;
	int status = aspace_prepare_pte(t->as, t->va);

	if (status)
		return status;
	if (t->obj->wired) {
		spin_lock(&t->obj->lock);
		mapped = fault_map(t, t->obj->wired_pa +
				   t->index * WEIR_PAGE_SIZE, NULL);
		spin_unlock(&t->obj->lock);
		return mapped ? 0 : 1;
	}
	status = memobj_prepare(t->obj, t->index,
				aspace_frame_flags(t->as));
	if (!status)
		status = fault_bring(t, &f);
	if (status)
		return status;
	mapped = fault_map_frame(t, f);
	spin_unlock(&t->obj->lock);
	return mapped ? 0 : 1;
}

/* [fault 1/6] The trap handler of kernel/ calls; [fault 6/6] it returns 0
 * and the instruction runs again. */
int aspace_fault(struct aspace *as, uint64_t va, bool write, bool exec)
{
	struct fault t = { .as = as, .va = va & ~(WEIR_PAGE_SIZE - 1),
			   .write = write, .exec = exec };
	int status;

	if (va >= WEIR_USER_TOP)
		return -WEIR_EFAULT;
	stat_add(WEIR_C_pgfault, 1);
	do {
		status = fault_find(&t);
		if (status)
			break;
		status = fault_try(&t);
		memobj_put(t.obj);
	} while (status > 0);
	if (t.spare)
		frame_free(t.spare);
	return status;
}
