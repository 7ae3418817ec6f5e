/*
 * aspace.h - address spaces: regions, page tables, faults.
 *
 * A region maps a run of an object's pages. Locks: map_mutex serialises the
 * calls that change regions (map, unmap, protect, destroy); `lock` guards
 * the region tree and every PTE. Order: the
 * family's lock before as->lock.
 */
#pragma once

#include <bsd/sys/tree.h>

#include "mm/memobj.h"

struct region {
	uint64_t start, end; /* bytes, page aligned, [start, end) */
	unsigned prot;       /* enum weir_prot */
	unsigned maxprot;    /* protect may not exceed it */
	bool dying;          /* PTEs cleared, flush not done: see rmap.c */
	struct aspace *as;
	struct memobj *obj; /* a reference is held */
	uint64_t offset;    /* page of obj at start */
	RB_ENTRY(region) node;         /* as->regions, under as->lock */
	LIST_ENTRY(region) obj_link;   /* obj->regions, under its lock */
};
RB_HEAD(region_tree, region);
RB_PROTOTYPE(region_tree, region, node,)
#define REGIONS_MAX 4096u

struct aspace {
	uint64_t refs; /* atomic */
	uint64_t pml4_pa;
	uint64_t id; /* never 0, and never another space's: for tags */
	/* Constant once it has a thread. */
	bool system; /* may use the reserve */
	bool pinned; /* the pages that it touches stay in memory */

	/* Atomic; written under no lock: see tlb.c. */
	uint64_t cpus;        /* CPUs that may cache translations (I3) */
	uint64_t tlb_pending; /* debts recorded: the generation */
	uint64_t tlb_flushed; /* newest generation flushed everywhere (I8) */
	/* The oracle's: when the last debt was recorded; when a PTE was last
	 * taken out or weakened, under `lock`. */
	uint64_t owed, changed;

	struct mutex map_mutex;

	struct spinlock lock; /* guards all below, and the PTEs */
	struct region_tree regions;
	unsigned nregions; /* at most REGIONS_MAX */
	uint64_t resident; /* present PTEs */
	struct radix tables; /* closed: destroyed, no new mappings */
};

/* An empty space with the kernel's half; one reference; its tables but the
 * root are charged to `account`. NULL: no memory. */
struct aspace *aspace_create(struct account *account);
struct aspace *aspace_get(struct aspace *as);
/* Drops a reference. The mappings must be destroyed before the last one. */
void aspace_put(struct aspace *as);

/* Unmaps all, and frees the page tables once no CPU can walk them (I6).
 * Sleeps. No thread of the space may run in user mode any more. */
void aspace_destroy_mappings(struct aspace *as);

/* Maps `npages` of obj from page `page_off` at *va (0: a free place, put
 * into *va) with `prot`; later protects may not exceed `maxprot`. Takes a
 * reference to obj. Sleeps. 0, -WEIR_EINVAL (range, alignment, prot: R, RW or
 * RX), -WEIR_ERIGHTS (maxprot), -WEIR_EBUSY (overlaps), -WEIR_ENOMEM,
 * -WEIR_EFULL (regions). */
int aspace_map(struct aspace *as, struct memobj *obj, uint64_t page_off,
	       uint64_t *va, uint64_t npages, uint64_t prot,
	       unsigned maxprot);

/* Removes every mapping in the range; unmapped parts are no error. On return
 * no CPU can use the old translations (P3). Sleeps. */
int aspace_unmap(struct aspace *as, uint64_t va, uint64_t npages);

/* Sets the protection of a range that must be mapped throughout; P3 as
 * above. 0, -WEIR_EINVAL, -WEIR_EFAULT (hole), -WEIR_ERIGHTS (maxprot),
 * -WEIR_ENOMEM, -WEIR_EFULL (regions). Sleeps. */
int aspace_protect(struct aspace *as, uint64_t va, uint64_t npages,
		   uint64_t prot);

/* Makes `va` usable for the access, or says why not: 0 (retry the access),
 * -WEIR_EFAULT, -WEIR_ENOMEM, -WEIR_EFULL (over a limit), -WEIR_EIO. Sleeps;
 * no lock held. */
int aspace_fault(struct aspace *as, uint64_t va, bool write, bool exec);

/* The PTE of `va`, or NULL where a table is missing: radix_prepare adds it.
 * Holds as->lock. */
static inline pte_t *aspace_pte(struct aspace *as, uint64_t va)
{
	assert(spin_held(&as->lock));
	return radix_cell(&as->tables, va / WEIR_PAGE_SIZE);
}

/* Clears one PTE of a region and moves its dirty bit to the frame (I1); the
 * debt is the caller's. True if it was present. Holds the family's lock and
 * as->lock. */
bool aspace_clear_pte(struct region *r, uint64_t va, pte_t *pte);

/* The region that contains `va`, or NULL. Holds as->lock. */
struct region *aspace_region(struct aspace *as, uint64_t va);

/* The object that is mapped at `va`, with a reference, and which page of it;
 * NULL: none, or it is not mapped with all of `prot`. */
struct memobj *aspace_object(struct aspace *as, uint64_t va, unsigned prot,
			     uint64_t *index);

/* ---- between mm's own files ---- */

/* Bytes that one leaf table maps: holes are skipped by this step. */
#define TABLE_SPAN (512 * 4096ull)

/* The PTE flags for a page mapped with `prot`. */
static inline pte_t pte_flags(unsigned prot)
{
	/* LAB paging begin: writable and executable only as `prot` says */
	return PTE_P | PTE_U | PTE_A | (prot & WEIR_P_WRITE ? PTE_W : 0) |
	       (prot & WEIR_P_EXEC ? 0 : PTE_NX);
	/* LAB paging stub
	 * return PTE_P | PTE_U | PTE_A | PTE_W;
	 */
	/* LAB paging end */
}

/* Takes from the PTEs of [va, end) what `prot` does not allow. D stays: while
 * the flush is due, an entry that looks read-only may still be written
 * through, and reclaim must see it as dirty (I11, I12). What becomes allowed
 * is granted by the next fault. True if a PTE changed. Holds as->lock. */
bool aspace_restrict(struct aspace *as, uint64_t va, uint64_t end,
		     unsigned prot);

/* The two locks that a page's mapping is under. */
static inline void mapping_lock(struct memobj *obj, struct aspace *as)
{
	spin_lock(&obj->family->lock);
	spin_lock(&as->lock);
}

static inline void mapping_unlock(struct memobj *obj, struct aspace *as)
{
	spin_unlock(&as->lock);
	spin_unlock(&obj->family->lock);
}

/* region.c, a pure data structure. The region that contains `va`, or the
 * first one above it; NULL: none. */
struct region *region_at_or_above(struct region_tree *tree, uint64_t va);

/* Whether [start, end) touches no region. */
bool region_free_range(struct region_tree *tree, uint64_t start, uint64_t end);

/* The lowest free place of `bytes` at or above `from`, below WEIR_USER_TOP,
 * with an unmapped page before it; 0: none. */
uint64_t region_find_free(struct region_tree *tree, uint64_t from,
			  uint64_t bytes);

void region_insert(struct region_tree *tree, struct region *r);
