/*
 * rmap_test.c - mm/rmap.c: every PTE of a frame, aged and taken out, while
 * the hardware stores through some of them.
 *
 * An object and its clone, several spaces that map parts of them. What tlb.c
 * would do is recorded. The hardware's first store through a clean entry (it
 * walks, and sets D if the PTE is present) is played before, after, and at
 * every point of an unmapping at which another CPU may run (shim_relax).
 */
#include "shim.h"

#include "arch/x86_64/cpu.h"
#include "kernel/abi/weir.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/memobj.h"
#include "mm/reclaim.h"
#include "mm/tlb.h"

#define NSPACES 3
#define NPAGES 16
#define PAGE WEIR_PAGE_SIZE
#define VA(space, index) (WEIR_USER_BASE * ((space) + 1) + (index) * PAGE)

static struct family fam;
static struct memobj objs[2]; /* space i maps objs[i / 2], which share all */
static struct frame frame;
static struct tlb_batch batch;
static struct { struct aspace as; struct region r; pte_t pte[NPAGES]; }
	spaces[NSPACES];
static unsigned added, added_dirty, inherited;
static pte_t *victim; /* that the other CPU stores through; NULL: none */
static bool stored;   /* the store went through, silently */

/* The PTEs of the spaces, and the entry of both objects. */
pte_t *radix_walk(struct radix *t, uint64_t index, pte_t **hole)
{
	static memobj_entry_t entry;

	for (unsigned i = 0; i < NSPACES; i++)
		if (t == &spaces[i].as.tables) {
			CHECK(spin_held(&spaces[i].as.lock));
			return &spaces[i].pte[index - VA(i, 0) / PAGE];
		}
	CHECK(t == &objs[0].array || t == &objs[1].array);
	CHECK(spin_held(&fam.lock) && index == frame.index);
	entry = (memobj_entry_t)&frame;
	return &entry;
}

void tlb_batch_add(struct tlb_batch *b, struct aspace *as, uint64_t va,
		   pte_t old)
{
	CHECK(b == &batch && spin_held(&as->lock)); /* I2 */
	CHECK(*aspace_pte(as, va) == 0 && old & PTE_P); /* I1 */
	added++;
	added_dirty += !!(old & PTE_D);
}

bool aspace_owes(struct aspace *as)
{
	return as->tlb_flushed < as->tlb_pending;
}

void tlb_batch_inherit(struct tlb_batch *b, struct aspace *as)
{
	CHECK(b == &batch && spin_held(&as->lock));
	inherited++;
}

/* A store through a clean entry. */
static void store(void)
{
	pte_t old = victim ? __atomic_load_n(victim, __ATOMIC_SEQ_CST) : 0;

	if (!(old & PTE_P))
		return; /* a fault */
	__atomic_fetch_or(victim, PTE_D | PTE_A, __ATOMIC_SEQ_CST);
	stored = true;
}

void shim_relax(void)
{
	store();
}

/* Space i maps the frame at its page `index[i]` of the object. */
static void setup(void)
{
	memset(&spaces, 0, sizeof(spaces));
	memset(objs, 0, sizeof(objs));
	memset(&frame, 0, sizeof(frame));
	spin_init(&fam.lock, RANK_family);
	LIST_INIT(&fam.members);
	for (unsigned i = 0; i < 2; i++) {
		LIST_INIT(&objs[i].regions);
		objs[i].npages = NPAGES;
		objs[i].family = &fam;
		LIST_INSERT_HEAD(&fam.members, &objs[i], sibling);
	}
	frame.family = &fam;
	frame.index = 5;
	for (unsigned i = 0; i < NSPACES; i++) {
		spin_init(&spaces[i].as.lock, RANK_aspace);
		/* The frame is page 5, 3 and 1 of the regions. */
		spaces[i].r = (struct region){
			.start = VA(i, 0), .end = VA(i, 8), .obj = &objs[i / 2],
			.as = &spaces[i].as, .offset = 2 * i };
		LIST_INSERT_HEAD(&objs[i / 2].regions, &spaces[i].r, obj_link);
	}
	added = added_dirty = inherited = 0;
	victim = NULL;
	stored = false;
}

static pte_t *pte_in(unsigned space)
{
	return &spaces[space].pte[5 - 2 * space];
}

static void map_in(unsigned space, pte_t flags)
{
	*pte_in(space) = PTE_P | PTE_U | PTE_W | flags;
	frame.mapcount++;
	spaces[space].as.resident++;
}

static bool unmap(void)
{
	bool dirty;

	spin_lock(&fam.lock);
	dirty = rmap_unmap(&frame, &batch);
	spin_unlock(&fam.lock);
	return dirty;
}

/* Every PTE goes, and the dirty bit of any of them stays with the frame. */
static void test_unmap(void)
{
	for (unsigned mapped = 0; mapped < 1u << NSPACES; mapped++)
		for (unsigned wet = 0; wet < 1u << NSPACES; wet++) {
			setup();
			for (unsigned i = 0; i < NSPACES; i++)
				if (mapped >> i & 1)
					map_in(i, wet >> i & 1 ? PTE_D : 0);
			CHECK(unmap() == !!(mapped & wet));
			CHECK(frame.dirty == !!(mapped & wet));
			CHECK(frame.mapcount == 0);
			CHECK(added == (unsigned)__builtin_popcount(mapped));
			CHECK(added_dirty == (unsigned)__builtin_popcount(
						     mapped & wet));
			for (unsigned i = 0; i < NSPACES; i++)
				CHECK(!*pte_in(i) && !spaces[i].as.resident);
		}
}

/* I1, Z22: whenever the first store comes, it faults or is remembered. */
static void test_first_store(void)
{
	for (unsigned when = 0; when < 3; when++) {
		setup();
		map_in(1, PTE_A);
		victim = pte_in(1);
		if (when == 0)
			store();
		if (when != 1)
			victim = NULL; /* nothing happens meanwhile */
		unmap();
		victim = pte_in(1);
		if (when == 2)
			store();
		CHECK(stored == frame.dirty);
		CHECK(*pte_in(1) == 0);
	}
}

/* A region outside the frame's page has no say; a dying one hands on its
 * debt, mapped or not (Z12, Z13); and so does what a pass has left of a frame
 * that is being copied (I11). */
static void test_regions(void)
{
	setup();
	map_in(0, PTE_D);
	spaces[1].r.end = VA(1, 3); /* ends before the frame's page */
	spaces[2].r.dying = true;
	CHECK(unmap());
	CHECK(added == 1 && inherited == 1);
	for (unsigned copied = 0; copied < 2; copied++) {
		setup();
		frame.copied = copied;
		spaces[1].as.tlb_pending = 1;
		CHECK(!unmap() && inherited == copied);
	}
}

static void test_age(void)
{
	bool dirty;

	setup();
	map_in(0, PTE_A);
	map_in(1, PTE_D);
	spin_lock(&fam.lock);
	CHECK(rmap_age(&frame, &dirty) && dirty);
	CHECK(!rmap_age(&frame, &dirty) && dirty); /* the second look */
	spin_unlock(&fam.lock);
	CHECK(!added && !frame.dirty && frame.mapcount == 2);
	CHECK(*pte_in(1) & PTE_D);
}

int main(void)
{
	test_unmap();
	test_first_store();
	test_regions();
	test_age();
	return 0;
}
