/*
 * memobj.c - objects, their families, and their sparse page arrays.
 *
 * The array is one to three levels high. Lock: the family's guards the arrays,
 * the entries and the fields of their frames.
 * Reclaim refers to the family of a frame, never to a member: members may
 * go while it has the frame, and it frees what no entry names any more.
 */
#include "mm/memobj.h"

#include "mm/kmalloc.h"
#include "mm/pager.h"
#include "mm/reclaim.h"
#include "mm/swap.h"

static struct spinlock families_lock = SPINLOCK_INIT(families);
struct family_list families = LIST_HEAD_INITIALIZER(families);

struct memobj *memobj_create_member(uint64_t npages, struct family *fam,
				    struct account *account)
{
	if (npages == 0 || npages > MEMOBJ_MAX_PAGES)
		return NULL;
	struct memobj *obj = kzalloc(sizeof(*obj));
	if (!obj)
		return NULL;
	obj->npages = npages;
	obj->refs = 1;
	obj->array = (struct radix){ .lock = &fam->lock,
				     .account = account_get(account),
				     .levels = 1 };
	while (npages > 1ull << RADIX_BITS * obj->array.levels)
		obj->array.levels++;
	family_get(fam);
	obj->family = fam;
	spin_lock(&fam->lock);
	LIST_INSERT_HEAD(&fam->members, obj, sibling);
	spin_unlock(&fam->lock);
	return obj;
}

struct memobj *memobj_create(uint64_t npages, struct pager *pager,
			     struct account *account)
{
	struct family *fam = kzalloc(sizeof(*fam));

	if (!fam)
		return NULL;
	spin_init(&fam->lock, RANK_family);
	waitq_init(&fam->cloned);
	fam->pager = pager;
	struct memobj *obj = memobj_create_member(npages, fam, account);
	if (!obj) {
		kfree(fam);
		return NULL;
	}
	spin_lock(&families_lock);
	LIST_INSERT_HEAD(&families, fam, all_link);
	spin_unlock(&families_lock);
	return obj;
}

struct memobj *memobj_create_wired(uint64_t pa, uint64_t npages)
{
	struct memobj *obj = memobj_create(npages, NULL, NULL);

	assert(pa % WEIR_PAGE_SIZE == 0);
	if (obj) {
		obj->wired = true;
		obj->wired_pa = pa;
	}
	return obj;
}

struct memobj *memobj_create_block(uint64_t npages)
{
	unsigned order = 0;

	while (order <= FRAME_MAX_ORDER && npages > 1ull << order)
		order++;
	struct frame *f = INJECT_TASK("alloc-block", 0) ? NULL :
							  frames_alloc(order);
	if (!f)
		return NULL;
	memset(frame_kva(f), 0, npages * WEIR_PAGE_SIZE);
	struct memobj *obj = memobj_create_wired(frame_pa(f), npages);
	if (obj)
		obj->block = true;
	else
		frame_free(f);
	return obj;
}

struct memobj *memobj_get(struct memobj *obj)
{
	uint64_t refs = __atomic_add_fetch(&obj->refs, 1, __ATOMIC_RELAXED);

	assert(refs > 1);
	return obj;
}

void family_get(struct family *fam)
{
	__atomic_add_fetch(&fam->refs, 1, __ATOMIC_RELAXED);
}

void family_put(struct family *fam)
{
	if (__atomic_sub_fetch(&fam->refs, 1, __ATOMIC_ACQ_REL))
		return;
	spin_lock(&families_lock);
	LIST_REMOVE(fam, all_link);
	spin_unlock(&families_lock);
	if (fam->pager)
		pager_forget(fam->pager);
	kfree(fam);
}

/* ---- the array ----------------------------------------------------------- */

bool memobj_set(struct memobj *obj, memobj_entry_t *entry, memobj_entry_t e)
{
	if (e && !*entry) {
		if (!account_charge(obj->array.account, ACCOUNT_FRAMES, 1))
			return false;
		obj->pages++;
	} else if (!e && *entry) {
		account_uncharge(obj->array.account, ACCOUNT_FRAMES, 1);
		obj->pages--;
	}
	*entry = e;
	return true;
}

/* ---- sharing ------------------------------------------------------------- */

bool memobj_shares(struct memobj *obj, uint64_t index)
{
	memobj_entry_t e = *memobj_entry(obj, index);
	struct memobj *m = LIST_FIRST(&obj->family->members);

	if (m == obj && !LIST_NEXT(m, sibling))
		return false;
	m = family_next(obj->family, NULL, index, e);
	if (PLANTED(Z26b) && entry_frame(e) && entry_frame(e)->mapcount == 1)
		return false;
	return m != obj || family_next(obj->family, m, index, e);
}

void family_replace(struct family *fam, uint64_t index, memobj_entry_t was,
		    memobj_entry_t e)
{
	struct memobj *m = NULL;

	while ((m = family_next(fam, m, index, was))) {
		memobj_entry_t *entry = memobj_entry(m, index);

		if (e)
			*entry = e; /* what was charged stays so */
		else
			memobj_set(m, entry, 0);
	}
}

void family_drop_frame(struct frame *f)
{
	if (f->mapcount || !lru_remove(f))
		return;
	if (f->slot && !PLANTED(W3))
		swap_slot_free(f->slot);
	f->slot = 0;
	f->family = NULL;
	frame_free(f);
}

/* ---- the end ------------------------------------------------------------- */

/* Page `index` of a dying object, on which no region is left: every unmap
 * has flushed before it dropped its reference. */
static void entry_release(struct radix *array, uint64_t index,
			  memobj_entry_t *entry)
{
	struct memobj *obj = (struct memobj *)((char *)array -
					       offsetof(struct memobj, array));
	memobj_entry_t e = *entry;

	memobj_set(obj, entry, 0);
	if (e == 0 || family_next(obj->family, NULL, index, e))
		return;
	if (entry_frame(e))
		family_drop_frame(entry_frame(e));
	else
		swap_slot_free(entry_slot(e));
}

void memobj_put(struct memobj *obj)
{
	uint64_t refs = __atomic_sub_fetch(&obj->refs, 1, __ATOMIC_ACQ_REL);

	assert(refs != UINT64_MAX);
	if (refs)
		return;
	assert(LIST_EMPTY(&obj->regions));
	radix_release(&obj->array, &obj->array.root, obj->array.levels, 0,
		      entry_release);
	spin_lock(&obj->family->lock);
	LIST_REMOVE(obj, sibling);
	spin_unlock(&obj->family->lock);
	family_put(obj->family);
	account_put(obj->array.account);
	if (obj->block)
		frame_free(frame_of_pa(obj->wired_pa));
	kfree(obj);
}
