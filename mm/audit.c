/*
 * audit.c - the audit of memory: see mm.h and mm/README.md.
 *
 * The world stands still, and nobody holds a spinlock: what is below reads
 * without locks, and takes one only where a function that it calls wants it
 * held. It changes nothing but its sums, some of them in frames, families and
 * objects, which are 0 between two audits. What a frame between
 * two steps may look like is in frame_seen; all else has no steps between two
 * holds of a lock, but for references and charges that somebody has in hand.
 */
#include "mm/limbo.h"
#include "mm/mm.h"

#include "mm/swap.h"

static uint64_t states[FRAME_NSTATES]; /* frames in each */
static uint64_t copiers; /* mapcounts that are no PTEs, less INBOUND frames
			  * that bytes are copied to */
static uint64_t slots;   /* names of slots */
static uint64_t pages;   /* of one object or space */

/* Not `exact`: what is counted may not be there yet, or no more. */
static void compare(const char *what, const void *whose, uint64_t counted,
		    uint64_t found, bool exact)
{
	if (found > counted || (exact && found < counted))
		panic("audit: %s %p: %lx counted, %lx found", what, whose,
		      counted, found);
}

/* The sharers of a slot are one name. */
static void entry_seen(struct memobj *obj, uint64_t index, memobj_entry_t e)
{
	struct frame *f = entry_frame(e);

	pages += e != 0;
	if (f) {
		compare("page of", frame_kva(f), f->index, index, true);
		compare("family of", frame_kva(f), (uint64_t)f->family,
			(uint64_t)obj->family, true);
		f->named = true;
	} else if (e && family_next(obj->family, NULL, index, e) == obj) {
		compare("slot", (void *)e, swap_slot_taken(e >> 1), 1, true);
		slots++;
	}
}

static void object_seen(struct memobj *obj)
{
	struct region *r;

	pages = 0;
	for (uint64_t i = 0; obj->array.root && i < obj->npages; i++) {
		memobj_entry_t *e = memobj_entry(obj, i);

		if (e)
			entry_seen(obj, i, *e);
		else
			i |= RADIX_WAYS - 1;
	}
	compare("pages of object", obj, obj->pages, pages, true);
	LIST_FOREACH(r, &obj->regions, obj_link)
		obj->found++;
	obj->family->found++;
}

/* A present PTE of the region. */
static void pte_seen(struct region *r, uint64_t va, pte_t pte)
{
	uint64_t index = r->offset + (va - r->start) / WEIR_PAGE_SIZE;
	uint64_t pa = r->obj->wired_pa + index * WEIR_PAGE_SIZE;
	bool writable = r->prot & WEIR_P_WRITE;

	if (!r->obj->wired) {
		struct frame *f = entry_frame(*memobj_entry(r->obj, index));

		pa = f && f->state != FRAME_INBOUND ? frame_pa(f) : 0;
		writable &= pa && f->state != FRAME_LAUNDRY && !f->copied &&
			    !memobj_shares(r->obj, index);
		if (pa)
			f->ptes++;
	}
	compare("page at", (void *)va, pte_pa(pte), pa, true);
	compare("W at", (void *)va, writable, !!(pte & PTE_W), false);
	pages++;
}

/* A PTE outside of all regions is counted and not found. */
void audit_space(struct aspace *as)
{
	struct region *r = region_at_or_above(&as->regions, 0);

	pages = 0;
	for (; r; r = RB_NEXT(region_tree, &as->regions, r)) {
		mapping_lock(r->obj, as);
		for (uint64_t va = r->start; va < r->end; va += 4096) {
			pte_t *pte = aspace_pte(as, va);

			if (!pte)
				va |= TABLE_SPAN - WEIR_PAGE_SIZE;
			else if (*pte & PTE_P)
				pte_seen(r, va, *pte);
		}
		mapping_unlock(r->obj, as);
	}
	compare("pages of space", as, as->resident, pages, true);
}

/* A frame of a family that no entry names is with a pass, which has unmapped
 * it, or counted by a fault that copies it; one without a family is nobody's
 * yet, or no more. */
static void frame_seen(struct frame *f)
{
	bool listed = f->state == FRAME_ACTIVE || f->state == FRAME_INACTIVE;
	bool taken = f->state == FRAME_ISOLATED || f->state == FRAME_LAUNDRY;
	bool inbound = f->state == FRAME_INBOUND;
	struct family *fam = f->index < MEMOBJ_MAX_PAGES ? f->family : NULL;
	bool good = fam ? (f->named || taken || f->mapcount > f->ptes) &&
			  (listed || taken || inbound || f->pinned) :
			  !(f->named || f->slot || listed || taken);

	compare("mappings of", frame_kva(f), f->mapcount, f->ptes, !fam);
	if (!good || (f->slot && !swap_slot_taken(f->slot)))
		panic("audit: frame %lx: %s, family %p, %u entries, slot %x",
		      frame_pa(f), frame_state_name(f->state), (void *)fam,
		      f->named, f->slot);
	states[f->state]++;
	copiers += f->mapcount - f->ptes;
	copiers -= fam && inbound && f->dirty;
	slots += f->slot != 0;
	if (taken)
		fam->found++;
	f->ptes = f->named = 0;
}

/* Takes the frames of a list from those in its state. */
static void list_seen(const struct frame_list *list, enum frame_state state)
{
	struct frame *f;

	TAILQ_FOREACH(f, list, lru) {
		compare("state of", frame_kva(f), f->state, state, true);
		states[state] -= 1ull << f->order;
	}
}

static void frames_seen(void)
{
	lru_settle();
	for (struct frame *f = frames; f < frames + frames_end; f++)
		frame_seen(f);
	compare("frames that wait", NULL, states[FRAME_LIMBO], limbo_frames(),
		false);
	states[FRAME_LIMBO] -= limbo_frames();
	compare("free frames", NULL, nr_free(), states[FRAME_FREE], true);
	for (unsigned i = 0; i <= FRAME_MAX_ORDER; i++)
		list_seen(&buddy[i], FRAME_FREE);
	for (unsigned i = 0; i < MAX_CPUS; i++)
		list_seen(&caches[i].list, FRAME_FREE);
	compare("LRU lists", NULL, lru_frames(), states[FRAME_ACTIVE] +
		states[FRAME_INACTIVE], true);
	list_seen(&lists[LRU_ACTIVE].frames, FRAME_ACTIVE);
	list_seen(&lists[LRU_INACTIVE].frames, FRAME_INACTIVE);
	compare("frames on no list", NULL, 0, states[FRAME_FREE] |
		states[FRAME_ACTIVE] | states[FRAME_INACTIVE], true);
	compare("copies", NULL, copiers, 0, true);
	compare("slots", NULL, swap_slots_total() - swap_slots_free(), slots,
		true);
	slots = 0;
}

bool audit_end(bool exact)
{
	struct family *fam;
	struct memobj *m;

	LIST_FOREACH(fam, &families, all_link) {
		spin_lock(&fam->lock);
		LIST_FOREACH(m, &fam->members, sibling)
			object_seen(m);
		spin_unlock(&fam->lock);
	}
	if (swap_attached())
		swap_attached()->found++;
	frames_seen();
	for (unsigned s = 0; s < FRAME_NSTATES; states[s++] = 0)
		exact &= !states[s] || s == FRAME_PINNED;
	LIST_FOREACH(fam, &families, all_link) {
		compare("family", fam, fam->refs, fam->found, exact);
		fam->found = 0;
		LIST_FOREACH(m, &fam->members, sibling) {
			compare("object", m, m->refs, m->found, exact);
			m->found = 0;
		}
	}
	return exact;
}
