/*
 * aspace.c - address spaces: their life, and their page tables.
 *
 * Four levels of tables (Intel SDM vol. 3A 4.5). Tables are added under
 * as->lock and freed only when the space dies, after every CPU that may
 * walk them, idle ones included, has left (I6). The upper half of every
 * root is the kernel's and never changes.
 */
#include "mm/aspace.h"

#include "mm/account.h"
#include "mm/kmalloc.h"
#include "mm/oracle.h"
#include "mm/tlb.h"

#define KERNEL_HALF 256u

struct aspace *aspace_create(struct account *account)
{
	static uint64_t last_id; /* atomic */
	struct aspace *as = kzalloc(sizeof(*as));
	struct frame *root;

	if (!as)
		return NULL;
	root = frame_alloc(FRAME_MAYWAIT | FRAME_ZERO);
	if (!root) {
		kfree(as);
		return NULL;
	}
	as->pml4_pa = frame_pa(root);
	memcpy((pte_t *)KVA(as->pml4_pa) + KERNEL_HALF,
	       (pte_t *)KVA(kernel_pml4_pa) + KERNEL_HALF,
	       KERNEL_HALF * sizeof(pte_t));
	as->refs = 1;
	as->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	as->account = account_get(account);
	spin_init(&as->lock, RANK_aspace);
	mutex_init(&as->map_mutex);
	RB_INIT(&as->regions);
	return as;
}

struct aspace *aspace_get(struct aspace *as)
{
	__atomic_add_fetch(&as->refs, 1, __ATOMIC_RELAXED);
	return as;
}

void aspace_put(struct aspace *as)
{
	if (__atomic_sub_fetch(&as->refs, 1, __ATOMIC_ACQ_REL))
		return;
	assert(RB_EMPTY(&as->regions));
	assert(as->cpus == 0);
	frame_free(frame_of_pa(as->pml4_pa));
	account_put(as->account);
	kfree(as);
}

/* ---- page tables ----------------------------------------------------- */

static unsigned table_index(uint64_t va, unsigned level)
{
	return va >> (12 + 9 * level) & 511;
}

/* The cell for `va` at `level` (0: the PTE), or NULL with *hole set to the
 * empty cell above it. Holds as->lock. */
static pte_t *table_cell(struct aspace *as, uint64_t va, unsigned level,
			 pte_t **hole)
{
	pte_t *table = KVA(as->pml4_pa);

	for (unsigned l = 3; l > level; l--) {
		pte_t *cell = &table[table_index(va, l)];

		if (!(*cell & PTE_P)) {
			if (hole)
				*hole = cell;
			return NULL;
		}
		table = KVA(pte_pa(*cell));
	}
	return &table[table_index(va, level)];
}

pte_t *aspace_pte(struct aspace *as, uint64_t va)
{
	assert(spin_held(&as->lock));
	return table_cell(as, va, 0, NULL);
}

int aspace_prepare_pte(struct aspace *as, uint64_t va)
{
	struct frame *spare = NULL;
	int status = 0;

	while (!status) {
		pte_t *hole = NULL;

		spin_lock(&as->lock);
		if (!as->dead && !table_cell(as, va, 0, &hole) && spare) {
			*hole = frame_pa(spare) | PTE_P | PTE_W | PTE_U;
			spare = NULL;
			hole = NULL;
			table_cell(as, va, 0, &hole);
		}
		spin_unlock(&as->lock);
		if (!hole)
			break;
		if (!spare)
			status = table_alloc(as->account,
					     aspace_frame_flags(as), &spare);
	}
	if (spare)
		table_free(spare, as->account);
	return status;
}

/* Frees the tables below one of `level` (3: the root). */
static void free_tables(struct aspace *as, pte_t *table, unsigned level,
			unsigned entries)
{
	for (unsigned i = 0; i < entries; i++) {
		if (!(table[i] & PTE_P))
			continue;
		if (level > 1)
			free_tables(as, KVA(pte_pa(table[i])), level - 1, 512);
		struct frame *f = frame_of_pa(pte_pa(table[i]));

		table[i] = 0;
		table_free(f, as->account);
	}
}

void aspace_destroy_mappings(struct aspace *as)
{
	spin_lock(&as->lock);
	as->dead = true;
	spin_unlock(&as->lock);
	int status = aspace_unmap(as, 0, WEIR_USER_TOP / WEIR_PAGE_SIZE);

	assert(status == 0); /* no region is split, so nothing is allocated */
	if (!PLANTED(Z17))
		tlb_leave_tables(as);
	ORACLE(tables_free(as));
	free_tables(as, KVA(as->pml4_pa), 3, KERNEL_HALF);
}

struct region *aspace_region(struct aspace *as, uint64_t va)
{
	struct region *r;

	assert(spin_held(&as->lock));
	r = region_at_or_above(&as->regions, va);
	return r && r->start <= va ? r : NULL;
}

struct memobj *aspace_object(struct aspace *as, uint64_t va, unsigned prot,
			     uint64_t *index)
{
	struct memobj *obj = NULL;
	struct region *r;

	spin_lock(&as->lock);
	r = aspace_region(as, va);
	if (r && !r->dying && (r->prot & prot) == prot) {
		obj = memobj_get(r->obj);
		*index = r->offset + (va - r->start) / WEIR_PAGE_SIZE;
	}
	spin_unlock(&as->lock);
	return obj;
}
