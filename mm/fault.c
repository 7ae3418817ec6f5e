/*
 * fault.c - making an address usable: find, bring, map.
 *
 * Outcomes of two threads that fault on one page, or of a fault that races:
 *  A the page is in a frame: the first maps it, the second finds it mapped;
 *  B it is in a slot, or with its pager: the first puts an INBOUND frame
 *    into the entry and reads; the others sleep on that frame: one read for
 *    all (I17, Z27);
 *  C reclaim has isolated it: it is mapped again, and reclaim, which looks
 *    again under the lock before IO and before freeing, lets it go;
 *  D its bytes are on the way to swap (LAUNDRY): a read maps it without W,
 *    a write waits for the IO, so no slot is ever torn (Z29);
 *  E the region went away meanwhile: the fault starts over and fails;
 *  F it is shared with a clone: a read maps it without W, a write gets a
 *    copy, INBOUND until no CPU has the shared one for it any more; while a
 *    clone or a copy is being made, who would begin to write waits, and who
 *    reads is mapped without W (I13, Z20);
 *  G some CPU may still read a frame that the page had before (limbo.c): a
 *    read maps it without W, a write flushes.
 * Locks: none held on entry; family->lock, then as->lock, never across a
 * sleep.
 */
#include "kernel/stat.h"
#include "kernel/thread.h"
#include "mm/limbo.h"
#include "mm/oracle.h"
#include "mm/point.h"
#include "mm/readahead.h"
#include "mm/swap.h"

/* One fault under way. */
struct fault {
	struct aspace *as;
	uint64_t va; /* page aligned */
	bool write, exec;
	unsigned flags;     /* how to ask for frames */
	bool pin;           /* the page is to stay, and not to be shared */
	bool ahead;         /* nobody has asked for the page yet */
	struct memobj *obj; /* a reference is held */
	uint64_t index;     /* page of obj */
	struct frame *spare;
	bool zeroed; /* the spare is */
};

/* [fault 2/6] Which object's page belongs at the address? Takes a reference
 * to the object; fails where nothing is mapped or the access is forbidden. */
static int fault_find(struct fault *t)
{
	t->obj = aspace_object(t->as, t->va, t->exec ? WEIR_P_EXEC :
			       t->write ? WEIR_P_WRITE : WEIR_P_READ,
			       &t->index);
	return t->obj ? 0 : -WEIR_EFAULT;
}

/* The spare frame, all of whose fields are 0, becomes the family's. Holds the
 * lock. */
static struct frame *use_spare(struct fault *t)
{
	struct frame *f = t->spare;

	t->spare = NULL;
	f->family = t->obj->family;
	f->index = t->index;
	return f;
}

static bool fault_map(struct fault *t, uint64_t pa, struct frame *f);

/* The page has arrived in `f`. Holds the lock. */
static void arrived(struct frame *f)
{
	lru_add_new(f);
	waitq_wake_all(frame_waitq(f));
}

/* `f` takes the place of `was`, a slot or 0, in the entries of all who share
 * the page: others wait for it from here on. *io is what is to be read. Holds
 * the lock. */
static void read_begin(struct frame *f, memobj_entry_t was, struct pageio *io)
{
	struct family *fam = f->family;

	f->slot = entry_slot(was);
	if (was)
		family_replace(fam, f->index, was, (memobj_entry_t)f);
	frame_set_state(f, FRAME_INBOUND);
	*io = (struct pageio){ .frame = f, .page = f->index, .slot = f->slot,
			       .pager = was ? NULL : fam->pager };
}

/* The read is over: the page has arrived; or, false, the entries are what they
 * were, and nobody has the frame any more. Holds the lock. */
static bool read_end(struct pageio *io)
{
	struct frame *f = io->frame;

	if (io->status) {
		family_replace(f->family, f->index, (memobj_entry_t)f,
			       f->slot ? entry_of_slot(f->slot) : 0);
		f->family = NULL;
		f->slot = 0;
		waitq_wake_all(frame_waitq(f));
		return false;
	}
	/* While swap is nearly full, two places for one page are a luxury. */
	if (f->slot && swap_is_tight())
		frame_drop_slot(f);
	arrived(f);
	return true;
}

/* A page that was read ahead is mapped as if by a fault, but for the accessed
 * bit. If it could not be read, who needs it will see. Holds the lock. */
static void ahead_end(struct fault *t, struct pageio *io)
{
	struct frame *f = io->frame;
	struct fault ahead = { .as = t->as, .obj = t->obj, .index = f->index,
			       .va = t->va + (f->index - t->index) *
						     WEIR_PAGE_SIZE,
			       .ahead = true };

	if (read_end(io))
		fault_map(&ahead, frame_pa(f), f);
	else
		frame_free(f);
}

/* [fault 4/6] The page is in a slot, or with its pager: reads it, once for
 * all who want it, and from swap perhaps some behind it. The entry was `was`;
 * if that is 0 it names the spare frame already. Holds the lock on entry, and
 * on success; 0 or -WEIR_EIO: then the entry is what it was, and those that
 * slept read in their turn (P6). */
static int fault_read(struct fault *t, memobj_entry_t was)
{
	struct family *fam = t->obj->family;
	struct pageio ios[1 + READAHEAD_MAX];
	struct frame *frames[1 + READAHEAD_MAX];
	unsigned i, n = 1;

	frames[0] = use_spare(t);
	if (was && !(entry_slot(was) & SLOT_ATTACHED) && t->as && !t->pin)
		n += readahead(&current()->ahead, t->obj, t->index,
			       t->va / WEIR_PAGE_SIZE, frames + 1);
	for (i = 0; i < n; i++)
		read_begin(frames[i], i ? *memobj_entry(t->obj,
				frames[i]->index) : was, &ios[i]);
	spin_unlock(&fam->lock);
	pageio_read(ios, n);
	point(WEIR_POINT_read);
	spin_lock(&fam->lock);
	stat_add(WEIR_C_pgmajfault, 1);
	for (i = 1; i < n; i++)
		ahead_end(t, &ios[i]);
	if (read_end(&ios[0]))
		return 0;
	t->spare = ios[0].frame;
	spin_unlock(&fam->lock);
	return -WEIR_EIO;
}

/* The page is in `f`, shared, and about to be written: makes the spare frame
 * a copy for this object alone. No CPU can write to a shared page, so the
 * bytes hold still (I13). What CPUs may have for this object is flushed before
 * anyone can see the copy; until then `f` counts us, so that nobody frees it
 * (P1), and nobody writes to it. Holds the lock, on return too. */
static void fault_copy(struct fault *t, memobj_entry_t *entry, struct frame *f)
{
	struct family *fam = t->obj->family;
	struct tlb_batch *b = &current()->batch;
	struct frame *copy = use_spare(t);

	ORACLE(io(f, false)); /* I13 */
	/* LAB faults begin: copy, put the copy in the entry's place, forget
	 * the shared frame on every CPU, and let go of it */
	memcpy(frame_kva(copy), frame_kva(f), WEIR_PAGE_SIZE);
	copy->dirty = true;
	f->mapcount++;
	f->copied = true;
	rmap_unmap_member(f, t->obj, b);
	*entry = (memobj_entry_t)copy;
	frame_set_state(copy, FRAME_INBOUND);
	spin_unlock(&fam->lock);
	tlb_batch_flush(b);
	spin_lock(&fam->lock);
	f->mapcount--;
	f->copied = false;
	waitq_wake_all(frame_waitq(f));
	if (!family_next(fam, NULL, t->index, (memobj_entry_t)f))
		family_drop_frame(f);
	arrived(copy);
	stat_add(WEIR_C_pgcopy, 1);
	/* LAB faults stub
	 * (void)fam, (void)copy, (void)b;
	 * panic("a shared page is written: lab faults");
	 */
	/* LAB faults end */
}

/* Whether the fault must wait for somebody, and does so: for IO (outcomes B
 * and D), for the end of a clone or of a copy (F), for a flush that waits (G).
 * Holds the lock, which is gone if so. */
static bool fault_waits(struct fault *t, struct frame *f)
{
	struct family *fam = t->obj->family;
	/* LAB faults begin: who would begin to write waits for the end of a
	 * clone; all wait for a frame on its way in; who writes, for one on
	 * its way out; who would be alone, for a copy that is being made,
	 * and flushes what is in limbo */
	bool alone = t->write || t->pin;

	if (alone && limbo_owes(fam)) {
		spin_unlock(&fam->lock);
		limbo_reap(true, NULL);
	} else if (alone && fam->cloning)
		waitq_sleep(&fam->cloned, &fam->lock);
	else if (f && ((f->state == FRAME_INBOUND && !PLANTED(Z27)) ||
		       (f->state == FRAME_LAUNDRY && t->write &&
			!PLANTED(Z29)) ||
		       (f->copied && alone)))
		waitq_sleep(frame_waitq(f), &fam->lock);
	else
		return false;
	return true;
	/* LAB faults stub
	 * (void)fam;
	 * return false;
	 */
	/* LAB faults end */
}

/* Gets what fault_bring found missing: the leaf of the object's array that has
 * the entry, or a spare frame, zeroed where no page's bytes will fill it. Holds
 * no lock. */
static int fault_prepare(struct fault *t, bool leaf, bool zeroed)
{
	if (leaf)
		return radix_prepare(&t->obj->array, t->index,
				     t->flags | FRAME_ZERO);
	/* LAB faults begin: a frame, of bytes that are 0 if `zeroed`; there
	 * may be a spare one whose bytes are another page's */
	if (t->spare)
		memset(frame_kva(t->spare), 0, WEIR_PAGE_SIZE);
	else
		t->spare = frame_alloc(t->flags | FRAME_PAGED |
				       (zeroed ? FRAME_ZERO : 0));
	t->zeroed = zeroed;
	/* LAB faults stub
	 * panic("there is no demand-zero page: lab faults");
	 */
	/* LAB faults end */
	return t->spare ? 0 : -WEIR_ENOMEM;
}

/* [fault 3/6] Brings the page into a frame that may be used for the access.
 * On success holds the lock and the frame can be mapped (*out); else holds
 * nothing. */
static int fault_bring(struct fault *t, struct frame **out)
{
	struct family *fam = t->obj->family;
	int status = 0;

	while (!status) {
		spin_lock(&fam->lock);
		memobj_entry_t *entry = memobj_entry(t->obj, t->index);
		struct frame *f = entry ? entry_frame(*entry) : NULL;

		if (fault_waits(t, f))
			continue;
		if (f && !((t->write || t->pin) &&
			   memobj_shares(t->obj, t->index))) {
			if (t->pin && !f->pinned) {
				/* A pass that has it lets it go. */
				f->taken_back = !PLANTED(Z26);
				lru_pin(f, true);
			}
			*out = f;
			return 0;
		}
		memobj_entry_t was = entry ? *entry : 0;
		bool zeroed = !was && !fam->pager;

		if (!entry || !t->spare || (zeroed && !t->zeroed)) {
			spin_unlock(&fam->lock);
			status = fault_prepare(t, !entry, zeroed);
			continue;
		}
		if (f)
			fault_copy(t, entry, f);
		else if (!was && !memobj_set(t->obj, entry,
					     (memobj_entry_t)t->spare))
			status = -WEIR_EFULL;
		else if (!was && !fam->pager)
			lru_add_new(use_spare(t));
		else if ((status = fault_read(t, was)))
			return status;
		spin_unlock(&fam->lock);
	}
	return status;
}

/* Whether the frame may be mapped with W, also for a read: never while a fault
 * that writes would wait, or copy. Holds the lock. */
static bool may_write(struct fault *t, struct frame *f)
{
	struct family *fam = t->obj->family;

	/* LAB faults begin: not while it is cloned, copied, written out, or
	 * shared, nor while its family owes a flush */
	return !fam->cloning && !f->copied && !limbo_owes(fam) &&
	       (f->state != FRAME_LAUNDRY || PLANTED(Z29)) &&
	       !memobj_shares(t->obj, t->index);
	/* LAB faults stub
	 * (void)fam;
	 * return true;
	 */
	/* LAB faults end */
}

/* [fault 5/6] Writes the PTE, if the region is still what it was, and there
 * is a table for it. `pa` is the page, `f` its frame (NULL: wired). Holds the
 * lock. False: start over. */
static bool fault_map(struct fault *t, uint64_t pa, struct frame *f)
{
	bool mapped = false;

	spin_lock(&t->as->lock);
	struct region *r = aspace_region(t->as, t->va);
	pte_t *pte = aspace_pte(t->as, t->va);

	if (r && pte && !r->dying && r->obj == t->obj &&
	    r->offset + (t->va - r->start) / WEIR_PAGE_SIZE == t->index) {
		pte_t flags = pte_flags(r->prot);

		if (f && !may_write(t, f))
			flags &= ~(pte_t)PTE_W;
		if (t->ahead)
			flags &= ~(pte_t)PTE_A;
		if (*pte & PTE_P) {
			assert(pte_pa(*pte) == pa);
			/* Only ever grants more: no flush is due. */
			pte_or(pte, flags & PTE_W);
			if (!(flags & PTE_NX))
				pte_and(pte, ~(pte_t)PTE_NX);
			tlb_invlpg(t->va);
		} else {
			assert(*pte == 0); /* I19 */
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

/* One attempt: 1 to start over, 0 done, below 0 the error. */
static int fault_try(struct fault *t)
{
	struct frame *f = NULL;
	bool mapped;
	int status = 0;

	if (t->pin) /* what is brought stays, so all else comes before */
		status = radix_prepare(&t->as->tables, t->va / WEIR_PAGE_SIZE,
				       t->flags | FRAME_ZERO);
	if (status)
		return status;
	if (t->obj->wired) {
		spin_lock(&t->obj->family->lock);
		mapped = fault_map(t, t->obj->wired_pa +
				   t->index * WEIR_PAGE_SIZE, NULL);
	} else {
		status = fault_bring(t, &f);
		if (status)
			return status;
		mapped = fault_map(t, frame_pa(f), f);
		/* Reclaim, if it has the frame, is told that it lost it. */
		if (mapped && (f->state == FRAME_ISOLATED ||
			       f->state == FRAME_LAUNDRY) && !f->taken_back) {
			f->taken_back = true;
			stat_add(WEIR_C_refault_laundry, 1);
		}
	}
	spin_unlock(&t->obj->family->lock);
	return mapped ? 0 : radix_prepare(&t->as->tables,
					  t->va / WEIR_PAGE_SIZE,
					  t->flags | FRAME_ZERO) ?: 1;
}

/* [fault 1/6] The trap handler of kernel/ calls; [fault 6/6] it returns 0
 * and the instruction runs again. */
int aspace_fault(struct aspace *as, uint64_t va, bool write, bool exec)
{
	struct fault t = { .as = as, .va = va & ~(WEIR_PAGE_SIZE - 1),
			   .write = write, .exec = exec,
			   .pin = as->pinned };
	int status;

	if (va >= WEIR_USER_TOP)
		return -WEIR_EFAULT;
	stat_add(WEIR_C_pgfault, 1);
	/* What the system cannot go on without may use the reserve, so that a
	 * program that takes all memory costs only itself (P6). What reclaim
	 * may wait for does not reclaim (P5). */
	t.flags |= as->system ? FRAME_RESERVE : 0;
	t.flags |= as->pinned ? 0 : FRAME_MAYWAIT;
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

/* ---- pinning ------------------------------------------------------------- */

int memobj_pin(struct memobj *obj, uint64_t index)
{
	struct fault t = { .obj = obj, .index = index, .write = true,
			   .flags = FRAME_MAYWAIT | FRAME_RESERVE,
			   .pin = true };
	struct frame *f;
	int status = fault_bring(&t, &f);

	if (!status)
		spin_unlock(&obj->family->lock);
	if (t.spare)
		frame_free(t.spare);
	return status;
}

void memobj_unpin(struct memobj *obj, uint64_t index)
{
	spin_lock(&obj->family->lock);
	memobj_entry_t *entry = memobj_entry(obj, index);
	struct frame *f = entry ? entry_frame(*entry) : NULL;

	if (f)
		lru_pin(f, false);
	spin_unlock(&obj->family->lock);
}
