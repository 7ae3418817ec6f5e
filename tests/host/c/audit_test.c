/*
 * audit_test.c - two spaces with an object and its clone, some pages of it in
 * frames, one in a slot, one with a pass; then one count after the other is
 * made wrong, and the audit must say which.
 */
#include "shim.h"

#include "arch/x86_64/paging.h"
#include "kernel/abi/weir.h"
#include "kernel/param.h"
#include "mm/aspace.h"
#include "mm/mm.h"
#include "mm/pager.h"
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "mm/tlb.h"

#define NFRAMES 12288
#define VA WEIR_USER_BASE
#define PAGE WEIR_PAGE_SIZE
#define PAGES 600u /* two leaves of the array */

struct params params;
uint64_t kernel_pml4_pa;
static struct frame descriptors[NFRAMES];

/* ---- what is not under test ---------------------------------------------- */

void reclaim_wake(void) { }
bool reclaim_laundering(void) { return false; }
uint64_t reclaim_usable(void) { return UINT64_MAX; }
struct frame *reclaim_direct(bool impatient) { return NULL; }
void pager_forget(struct pager *p) { }
void pager_submit(struct pageio *io) { }
bool pager_cancel(struct pageio *io) { return false; }
bool pager_takes_writes(struct pager *p) { return false; }
void tlb_leave_tables(struct aspace *as) { }
int aspace_unmap(struct aspace *as, uint64_t va, uint64_t n) { return 0; }

/* ---- the scene ----------------------------------------------------------- */

static struct memobj *obj, *clone;
static struct aspace *spaces[2];
static uint64_t handles = 1; /* on each object */

static memobj_entry_t *entry(struct memobj *o, uint64_t index)
{
	memobj_entry_t *e;

	CHECK(radix_prepare(&o->array, index, FRAME_ZERO) == 0);
	spin_lock(&o->family->lock);
	e = memobj_entry(o, index);
	spin_unlock(&o->family->lock);
	return e;
}

static void set(struct memobj *o, uint64_t index, memobj_entry_t e)
{
	CHECK(memobj_set(o, entry(o, index), e));
}

static struct frame *page(struct memobj *o, uint64_t index)
{
	struct frame *f = frame_alloc(FRAME_ZERO);

	f->family = o->family;
	f->index = index;
	lru_add(f, LRU_ACTIVE);
	set(o, index, (memobj_entry_t)f);
	return f;
}

static pte_t *pte_of(struct aspace *as, uint64_t va)
{
	pte_t *pte;

	CHECK(radix_prepare(&as->tables, va / PAGE, FRAME_ZERO) == 0);
	spin_lock(&as->lock);
	pte = aspace_pte(as, va);
	spin_unlock(&as->lock);
	return pte;
}

static void map_page(struct aspace *as, uint64_t va, struct frame *f,
		     unsigned prot)
{
	*pte_of(as, va) = frame_pa(f) | pte_flags(prot);
	as->resident++;
	f->mapcount++;
}

static void map(struct aspace *as, struct memobj *o)
{
	struct region *r = calloc(1, sizeof(*r));

	*r = (struct region){ .start = VA, .end = VA + PAGES * PAGE,
			      .prot = WEIR_P_READ | WEIR_P_WRITE, .as = as,
			      .obj = memobj_get(o) };
	region_insert(&as->regions, r);
	as->nregions++;
	LIST_INSERT_HEAD(&o->regions, r, obj_link);
}

/* Pages 0 and 599 are shared, 1 is the first one's; 2 is in a slot, shared; 3
 * has a slot, and a pass has it. */
static void build(void)
{
	struct frame *f;
	uint32_t slot;

	obj = memobj_create(PAGES, NULL, NULL);
	clone = memobj_create_member(PAGES, obj->family, NULL);
	for (unsigned i = 0; i < 2; i++) {
		spaces[i] = aspace_create(NULL);
		map(spaces[i], i ? clone : obj);
	}
	for (uint64_t i = 0; i < PAGES; i += PAGES - 1) {
		f = page(obj, i);
		set(clone, i, (memobj_entry_t)f);
		map_page(spaces[0], VA + i * PAGE, f, WEIR_P_READ);
		map_page(spaces[1], VA + i * PAGE, f, WEIR_P_READ);
	}
	map_page(spaces[0], VA + PAGE, page(obj, 1),
		 WEIR_P_READ | WEIR_P_WRITE);
	slot = swap_slot_alloc(false);
	set(obj, 2, entry_of_slot(slot));
	set(clone, 2, entry_of_slot(slot));
	f = page(obj, 3);
	f->slot = swap_slot_alloc(false);
	CHECK(lru_isolate(LRU_ACTIVE, &f, 1) == 1 && f->index == 0);
	lru_add(f, LRU_INACTIVE);
	family_put(obj->family);
}

static bool audit(void)
{
	for (unsigned i = 0; i < 2; i++)
		audit_space(spaces[i]);
	obj->found += handles;
	clone->found += handles;
	return audit_end(true);
}

static struct frame *frame(uint64_t index)
{
	return entry_frame(*entry(obj, index));
}

/* ---- what is made wrong -------------------------------------------------- */

enum wrong {
	OBJECT, HANDLE, FAMILY, OBJECT_PAGES, RESIDENT, INDEX, OWNER,
	MAPCOUNT, COPY, LEAK, DOUBLE, FREE_SLOT, WRONG_PAGE, WRITABLE,
	FORBIDDEN, OUTSIDE, PINNED, UNNAMED, LIST, FREE_FRAMES, LRU_LENGTH,
	WAITS,
};
static const char *const said[] = {
	[OBJECT] = "audit: object", [HANDLE] = "audit: object",
	[FAMILY] = "audit: family 0x", [OBJECT_PAGES] = "pages of object",
	[RESIDENT] = "pages of space",
	[INDEX] = "audit: page of",
	[OWNER] = "family of", [MAPCOUNT] = "copies",
	[COPY] = "mappings of", [LEAK] = "audit: slots", [DOUBLE] = "slots",
	[FREE_SLOT] = "audit: slot 0x", [WRONG_PAGE] = "audit: page at",
	[WRITABLE] = "W at", [FORBIDDEN] = "W at",
	[OUTSIDE] = "pages of space", [PINNED] = "PINNED, family",
	[UNNAMED] = "ACTIVE, family", [LIST] = "state of",
	[FREE_FRAMES] = "free frames", [LRU_LENGTH] = "LRU lists",
	[WAITS] = "audit: frames that wait",
};

/* What waits for its flush (mm/limbo.c). */
static uint64_t waits;

uint64_t limbo_frames(void)
{
	return waits;
}

static void go_wrong(enum wrong what)
{
	struct region *r = LIST_FIRST(&obj->regions);

	switch (what) {
	case OBJECT: obj->refs++; break;
	case HANDLE: handles++; break;
	case FAMILY: obj->family->refs++; break;
	case OBJECT_PAGES: clone->pages--; break;
	case RESIDENT: spaces[1]->resident++; break;
	case INDEX: frame(1)->index = 7; break;
	case OWNER: frame(1)->family = (struct family *)obj; break;
	case MAPCOUNT: frame(0)->mapcount++; break;
	case COPY: frame(0)->mapcount--; break;
	case LEAK: swap_slot_alloc(false); break;
	case DOUBLE: frame(1)->slot = frame(3)->slot; break;
	case FREE_SLOT: swap_slot_free(entry_slot(*entry(obj, 2))); break;
	case WRONG_PAGE: *pte_of(spaces[0], VA + PAGE) += PAGE; break;
	case WRITABLE: *pte_of(spaces[0], VA) |= PTE_W; break;
	case FORBIDDEN: r->prot = WEIR_P_READ; break;
	case OUTSIDE: r->end -= PAGE; break;
	case PINNED: frame(1)->state = FRAME_PINNED; break;
	case UNNAMED: set(obj, 3, 0); break;
	case LIST: frame(3)->state = FRAME_INACTIVE; break;
	case FREE_FRAMES: TAILQ_FIRST(&buddy[9])[1].state = FRAME_PINNED; break;
	case LRU_LENGTH: lists[LRU_INACTIVE].length++; break;
	case WAITS: waits++; break;
	}
}

static void audit_wrong(void *what)
{
	go_wrong((uintptr_t)what);
	audit();
}

int main(void)
{
	uint64_t n;
	struct frame *f;

	frames_setup(descriptors, NFRAMES);
	frames_add(1, NFRAMES);
	swap_init(16);
	build();
	CHECK(audit() && audit());
	for (uintptr_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		expect_panic(audit_wrong, (void *)i, said[i]);

	/* Page 1 is being copied: to a frame that nobody maps yet. */
	f = page(clone, 1);
	f->state = FRAME_INBOUND;
	f->dirty = true;
	TAILQ_REMOVE(&lists[LRU_ACTIVE].frames, f, lru);
	lists[LRU_ACTIVE].length--;
	frame(1)->mapcount++;
	CHECK(!audit());
	frame(1)->mapcount--;
	lru_add_new(f); /* it has arrived */
	CHECK(audit());

	/* A frame that is with a pass need not be named, and then only
	 * bounds of references are compared. */
	CHECK(lru_isolate(LRU_INACTIVE, &f, 1) == 1);
	CHECK(!audit());
	n = obj->refs++;
	CHECK(!audit());
	obj->refs = n;
	lru_add(f, LRU_ACTIVE);
	family_put(obj->family);
	CHECK(audit());
	return 0;
}
