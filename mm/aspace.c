/*
 * aspace.c - address spaces: their life, and their page tables.
 *
 * Four levels of tables (Intel SDM vol. 3A 4.5). Tables are added under
 * as->lock and freed only when the space dies, after every CPU that may
 * walk them, idle ones included, has left (I6). The upper half of every
 * root is the kernel's and never changes.
 */
#include "mm/aspace.h"

#include "mm/kmalloc.h"
#include "mm/oracle.h"
#include "mm/tlb.h"

#define KERNEL_HALF 256u

struct aspace *aspace_create(struct account *account)
{
	static uint64_t last_id; /* atomic */
	struct aspace *as = kzalloc(sizeof(*as));
	struct frame *root = as ? frame_alloc(FRAME_MAYWAIT | FRAME_ZERO) :
				  NULL;

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
	as->tables = (struct radix){ .lock = &as->lock, .levels = 4,
				     .account = account_get(account),
				     .root = as->pml4_pa };
	spin_init(&as->lock, RANK_aspace);
	mutex_init(&as->map_mutex);
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
	account_put(as->tables.account);
	kfree(as);
}

void aspace_destroy_mappings(struct aspace *as)
{
	spin_lock(&as->lock);
	as->tables.closed = true;
	spin_unlock(&as->lock);
	int status = aspace_unmap(as, 0, WEIR_USER_TOP / WEIR_PAGE_SIZE);

	assert(status == 0); /* no region is split, so nothing is allocated */
	if (!PLANTED(Z17))
		tlb_leave_tables(as);
	ORACLE(tables_free(as));
	pte_t *root = KVA(as->pml4_pa);

	for (unsigned i = 0; i < KERNEL_HALF; i++)
		radix_release(&as->tables, &root[i], 3, 0, NULL);
}

struct region *aspace_region(struct aspace *as, uint64_t va)
{
	assert(spin_held(&as->lock));
	struct region *r = region_at_or_above(&as->regions, va);
	return r && r->start <= va ? r : NULL;
}

struct memobj *aspace_object(struct aspace *as, uint64_t va, unsigned prot,
			     uint64_t *index)
{
	struct memobj *obj = NULL;

	spin_lock(&as->lock);
	struct region *r = aspace_region(as, va);
	if (r && !r->dying && (r->prot & prot) == prot) {
		obj = memobj_get(r->obj);
		*index = r->offset + (va - r->start) / WEIR_PAGE_SIZE;
	}
	spin_unlock(&as->lock);
	return obj;
}
