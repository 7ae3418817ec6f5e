/*
 * handle.c - handle tables and capabilities.
 *
 * The generation of a slot goes up when it is freed, so old handles do not
 * name what comes next. A task's handle on itself holds no reference, else a
 * task that was never started could not go away.
 */
#include "kernel/handle.h"

#include "kernel/ipc.h"
#include "mm/kmalloc.h"
#include "mm/pager.h"

#define FIRST_CAPACITY 32u
#define TRAVELS 1u /* in slot->name: makes it the name of another slot */

static struct handle_slot no_slots[1];

/* ---- references ---------------------------------------------------------- */

static bool receives(struct cap cap)
{
	return cap.type == WEIR_OBJ_ENDPOINT && cap.rights & WEIR_R_READ;
}

void cap_get(struct cap cap)
{
	struct endpoint *ep = cap.object;

	if (receives(cap))
		__atomic_add_fetch(&ep->nreceivers, 1, __ATOMIC_RELAXED);
	if (cap.type == WEIR_OBJ_MEM)
		memobj_get(cap.object);
	else if (cap.type == WEIR_OBJ_PAGER)
		pager_get(cap.object);
	else if (cap.type != WEIR_OBJ_NONE)
		object_get(cap.object);
}

void cap_put(struct cap cap)
{
	if (receives(cap))
		endpoint_drop_receiver(cap.object);
	if (cap.type == WEIR_OBJ_MEM)
		memobj_put(cap.object);
	else if (cap.type == WEIR_OBJ_PAGER)
		pager_put(cap.object);
	else if (cap.type != WEIR_OBJ_NONE)
		object_put(cap.object);
}

/* ---- the table ----------------------------------------------------------- */

void handles_init(struct handle_table *t, struct task *owner)
{
	*t = (struct handle_table){ .owner = owner, .slots = no_slots,
				    .lock = SPINLOCK_INIT(handles) };
}

static bool names_owner(struct handle_table *t, struct cap cap)
{
	return cap.type == WEIR_OBJ_TASK && cap.object == t->owner;
}

static void free_slots(struct handle_table *t)
{
	if (t->mask)
		kfree(t->slots);
	t->slots = no_slots;
	t->mask = 0;
}

/* Doubles the slots; the new ones are free. Holds the lock. */
static int grow(struct handle_table *t)
{
	unsigned old = t->mask + 1;
	unsigned capacity = t->mask ? 2 * old : FIRST_CAPACITY;

	if (capacity > HANDLES_MAX)
		return -WEIR_EFULL;
	struct handle_slot *slots = kzalloc(capacity * sizeof(*slots));
	if (!slots)
		return -WEIR_ENOMEM;
	memcpy(slots, t->slots, old * sizeof(*slots));
	for (unsigned i = capacity - 1; i >= old; i--) {
		slots[i].name = HANDLES_MAX | i;
		slots[i].next_free = t->free_head;
		t->free_head = i;
	}
	free_slots(t);
	t->slots = slots;
	t->mask = capacity - 1;
	return 0;
}

/* Takes a free slot: its index, or an error. Holds the lock. */
static int take_slot(struct handle_table *t)
{
	if (t->closed)
		return -WEIR_EPEER;
	if (!account_charge(t->owner->account, ACCOUNT_HANDLES, 1))
		return -WEIR_EFULL;
	int status = t->free_head ? 0 : grow(t);
	if (status) {
		account_uncharge(t->owner->account, ACCOUNT_HANDLES, 1);
		return status;
	}
	unsigned index = t->free_head;
	t->free_head = t->slots[index].next_free;
	return index;
}

int64_t handle_insert(struct handle_table *t, struct cap cap)
{
	spin_lock(&t->lock);
	int64_t result = take_slot(t);
	if (result > 0) {
		struct handle_slot *s = &t->slots[result];

		s->cap = cap;
		if (names_owner(t, cap))
			object_put(cap.object); /* the caller has another */
		result = s->name;
	}
	spin_unlock(&t->lock);
	return result;
}

/* Empties a slot. Holds the lock; the reference is the caller's now. */
static struct cap free_slot(struct handle_table *t, struct handle_slot *s)
{
	struct cap cap = s->cap;

	if (names_owner(t, cap))
		object_get(&t->owner->object);
	account_uncharge(t->owner->account, ACCOUNT_HANDLES, 1);
	s->cap = (struct cap){ .type = WEIR_OBJ_NONE };
	s->name = (s->name + (PLANTED(W8) ? 0 : HANDLES_MAX)) & INT32_MAX;
	s->next_free = t->free_head;
	t->free_head = s - t->slots;
	return cap;
}

void handles_close_all(struct handle_table *t)
{
	spin_lock(&t->lock);
	t->closed = true;
	spin_unlock(&t->lock);
	for (unsigned i = 0; i <= t->mask; i++)
		handle_close(t, t->slots[i].name);
	spin_lock(&t->lock);
	free_slots(t);
	spin_unlock(&t->lock);
}

int handle_lookup(uint64_t h, enum weir_object type, unsigned rights,
		  bool moves, struct cap *out)
{
	struct handle_table *t = &current()->task->handles;
	int status = -WEIR_EHANDLE;

	spin_lock(&t->lock);
	struct handle_slot *s = handle_find(t, h);
	if (s && (type == WEIR_OBJ_NONE || s->cap.type == type))
		status = rights & ~s->cap.rights ? -WEIR_ERIGHTS : 0;
	if (!status) {
		*out = s->cap;
		if (moves)
			s->name ^= TRAVELS;
		else
			cap_get(*out);
	}
	spin_unlock(&t->lock);
	return status;
}

int handle_close(struct handle_table *t, uint64_t h)
{
	struct cap cap = { .type = WEIR_OBJ_NONE };

	spin_lock(&t->lock);
	struct handle_slot *s = handle_find(t, h);
	if (s)
		cap = free_slot(t, s);
	spin_unlock(&t->lock);
	cap_put(cap);
	return cap.type == WEIR_OBJ_NONE ? -WEIR_EHANDLE : 0;
}

void handle_move_end(struct handle_table *t, handle_t h, bool moved)
{
	spin_lock(&t->lock);
	struct handle_slot *s = &t->slots[h & t->mask];
	assert(s->cap.type != WEIR_OBJ_NONE && s->name == (h ^ TRAVELS));
	s->name = h;
	if (moved)
		free_slot(t, s);
	spin_unlock(&t->lock);
}
