/*
 * memobj.c - objects and their sparse page arrays.
 *
 * The array is a radix tree of 512-way nodes, one frame each, one to three
 * levels high; nodes are only added while the object lives. Lock: obj->lock
 * guards the tree, the entries and the fields of their frames. A frame on
 * the lists may be looked at by reclaim at any time: it takes a reference
 * with memobj_get_live before it touches the object.
 */
#include "mm/memobj.h"

#include "arch/x86_64/panic.h"
#include "arch/x86_64/string.h"
#include "kernel/abi/weir.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/pager.h"
#include "mm/reclaim.h"
#include "mm/swap.h"

#define FANOUT 512u
#define FANOUT_BITS 9u

static unsigned height_for(uint64_t npages)
{
	unsigned height = 1;

	while (npages > FANOUT) {
		npages = (npages + FANOUT - 1) >> FANOUT_BITS;
		height++;
	}
	return height;
}

static struct memobj *memobj_new(uint64_t npages)
{
	struct memobj *obj;

	if (npages == 0 || npages > MEMOBJ_MAX_PAGES)
		return NULL;
	obj = kzalloc(sizeof(*obj));
	if (!obj)
		return NULL;
	spin_init(&obj->lock, "memobj");
	LIST_INIT(&obj->regions);
	obj->npages = npages;
	obj->height = height_for(npages);
	obj->refs = 1;
	return obj;
}

struct memobj *memobj_create_anon(uint64_t npages)
{
	return memobj_new(npages);
}

struct memobj *memobj_create_paged(uint64_t npages, struct pager *pager)
{
	struct memobj *obj = memobj_new(npages);

	if (obj)
		obj->pager = pager;
	return obj;
}

struct memobj *memobj_create_wired(uint64_t pa, uint64_t npages)
{
	struct memobj *obj = memobj_new(npages);

	assert(pa % WEIR_PAGE_SIZE == 0);
	if (obj) {
		obj->wired = true;
		obj->wired_pa = pa;
	}
	return obj;
}

struct memobj *memobj_create_block(uint64_t npages)
{
	struct memobj *obj;
	struct frame *f;
	unsigned order = 0;

	while (order <= FRAME_MAX_ORDER && npages > 1ull << order)
		order++;
	f = frames_alloc(order);
	if (!f)
		return NULL;
	memset(frame_kva(f), 0, npages * WEIR_PAGE_SIZE);
	obj = memobj_create_wired(frame_pa(f), npages);
	if (obj)
		obj->block = true;
	else
		frame_free(f);
	return obj;
}

/* Nodes are only added, so this needs no lock. */
static uint64_t radix_count(void *const *node, unsigned height)
{
	uint64_t n = 0;

	for (unsigned i = 0; node && i < FANOUT; i++) {
		void *e = __atomic_load_n(&node[i], __ATOMIC_ACQUIRE);

		n += height > 1 ? radix_count(e, height - 1) : e != NULL;
	}
	return n;
}

uint64_t memobj_present(const struct memobj *obj)
{
	return obj->wired ? obj->npages :
	       radix_count(__atomic_load_n(&obj->root, __ATOMIC_ACQUIRE),
			   obj->height);
}

struct memobj *memobj_get(struct memobj *obj)
{
	uint64_t refs = __atomic_add_fetch(&obj->refs, 1, __ATOMIC_RELAXED);

	assert(refs > 1);
	return obj;
}

bool memobj_get_live(struct memobj *obj)
{
	uint64_t refs = __atomic_load_n(&obj->refs, __ATOMIC_RELAXED);

	while (refs)
		if (__atomic_compare_exchange_n(&obj->refs, &refs, refs + 1,
						false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

/* The cell that holds page `index` at radix level `level` (0: the entry, 1:
 * the pointer to its leaf, ...), or NULL where a node above is missing. */
static void **radix_cell(struct memobj *obj, uint64_t index, unsigned level)
{
	void **cell = &obj->root;

	for (unsigned l = obj->height; l > level; l--) {
		void **node = *cell;

		if (!node)
			return NULL;
		cell = &node[index >> (FANOUT_BITS * (l - 1)) & (FANOUT - 1)];
	}
	return cell;
}

memobj_entry_t *memobj_entry(struct memobj *obj, uint64_t index)
{
	assert(spin_held(&obj->lock));
	assert(index < obj->npages);
	return (memobj_entry_t *)radix_cell(obj, index, 0);
}

/* The topmost empty cell on the way to `index`, or NULL when complete. */
static void **radix_hole(struct memobj *obj, uint64_t index)
{
	for (unsigned level = obj->height; level > 0; level--) {
		void **cell = radix_cell(obj, index, level);

		if (!*cell)
			return cell;
	}
	return NULL;
}

int memobj_prepare(struct memobj *obj, uint64_t index, unsigned flags)
{
	struct frame *spare = NULL;

	for (;;) {
		spin_lock(&obj->lock);
		void **hole = radix_hole(obj, index);

		if (hole && spare) {
			*hole = frame_kva(spare);
			spare = NULL;
			hole = radix_hole(obj, index);
		}
		spin_unlock(&obj->lock);
		if (!hole)
			break;
		if (!spare)
			spare = frame_alloc(flags);
		if (!spare)
			return -WEIR_ENOMEM;
	}
	if (spare)
		frame_free(spare);
	return 0;
}

/* Frees what one entry of a dying object holds. No region maps it, and
 * every unmap has flushed before it dropped its reference. */
static void entry_release(memobj_entry_t e)
{
	struct frame *f = entry_frame(e);

	if (entry_is_slot(e))
		swap_slot_free(entry_slot(e));
	if (!f)
		return;
	assert(f->mapcount == 0);
	if (!lru_remove(f))
		panic("frame of a dying object is with reclaim");
	if (f->slot)
		swap_slot_free(f->slot);
	f->slot = 0;
	f->obj = NULL;
	frame_free(f);
}

static void radix_release(void **node, unsigned height)
{
	if (!node)
		return;
	for (unsigned i = 0; i < FANOUT; i++) {
		if (height > 1)
			radix_release(node[i], height - 1);
		else
			entry_release((memobj_entry_t)node[i]);
	}
	frame_free(frame_of_kva(node));
}

void memobj_put(struct memobj *obj)
{
	uint64_t refs = __atomic_sub_fetch(&obj->refs, 1, __ATOMIC_ACQ_REL);

	assert(refs != UINT64_MAX);
	if (refs)
		return;
	assert(LIST_EMPTY(&obj->regions));
	radix_release(obj->root, obj->height);
	if (obj->block)
		frame_free(frame_of_pa(obj->wired_pa));
	if (obj->pager)
		pager_forget(obj->pager);
	kfree(obj);
}
