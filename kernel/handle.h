/*
 * handle.h - what a task may name: objects, with rights, in a flat table.
 *
 * A handle is an index and a generation, so that a closed handle stays
 * invalid when its place is used again. A `cap` is a handle's content on its
 * own: it holds a reference to the object. Table lock: a leaf, never held
 * while a last reference may be dropped (that may sleep).
 */
#pragma once

#include "arch/x86_64/spin.h"
#include "kernel/abi/weir.h"

#define HANDLES_MAX 1024u /* a power of 2 */

/* What each object of kernel/ begins with; mm's objects count for themselves.
 * Whoever drops the last reference calls `destroy`. */
struct object {
	uint64_t refs; /* atomic */
	void (*destroy)(void *object);
};

static inline void object_get(struct object *o)
{
	__atomic_add_fetch(&o->refs, 1, __ATOMIC_RELAXED);
}

/* Takes a reference unless the last one is gone. */
static inline bool object_get_live(struct object *o)
{
	uint64_t refs = __atomic_load_n(&o->refs, __ATOMIC_RELAXED);

	while (refs && !compare_exchange(&o->refs, &refs, refs + 1))
		;
	return refs;
}

static inline void object_put(void *object)
{
	struct object *o = object;

	if (__atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL) == 0)
		o->destroy(o);
}

struct cap {
	uint8_t type;   /* enum weir_object */
	uint8_t rights; /* enum weir_right */
	uint64_t badge;
	void *object;
};

struct handle_slot {
	struct cap cap;      /* type WEIR_OBJ_NONE: free */
	handle_t name;       /* the handle (free: the next one), but while it
			      * travels one that no slot here answers to */
	uint16_t next_free;
};

struct handle_table {
	struct task *owner; /* a handle on itself holds no reference */

	struct spinlock lock; /* guards all below */
	struct handle_slot *slots; /* grown in steps, to HANDLES_MAX */
	unsigned mask;      /* slots allocated, a power of 2, minus 1 */
	unsigned free_head; /* an index; 0: none, nor is that ever used */
	bool closed;        /* the task is dead: nothing enters */
};

void handles_init(struct handle_table *t, struct task *owner);
/* Drops everything; the table takes nothing any more. Sleeps. */
void handles_close_all(struct handle_table *t);

/* Puts `cap` in; the table owns its reference from then on. A handle above
 * 0, or -WEIR_EFULL, -WEIR_ENOMEM, -WEIR_EPEER (the caller keeps it). Any
 * lock but a table's. */
int64_t handle_insert(struct handle_table *t, struct cap cap);

/* Copies out what `h` names in the current task's table, which must be of
 * `type` (WEIR_OBJ_NONE: any) and have `rights`. *out then holds a reference
 * of its own, or, if it `moves`, that of the handle, which is hidden until
 * handle_move_end. 0, -WEIR_EHANDLE, -WEIR_ERIGHTS. */
int handle_lookup(uint64_t h, enum weir_object type, unsigned rights,
		  bool moves, struct cap *out);
/* The handle has moved, and its slot is freed, or it is back. */
void handle_move_end(struct handle_table *t, handle_t h, bool moved);

/* The slot that `h` names, or NULL. Holds the lock. */
static inline struct handle_slot *handle_find(struct handle_table *t,
					      uint64_t h)
{
	struct handle_slot *s = &t->slots[h & t->mask];

	return s->name == h && s->cap.type != WEIR_OBJ_NONE ? s : NULL;
}

/* 0, -WEIR_EHANDLE. Sleeps. */
int handle_close(struct handle_table *t, uint64_t h);

/* References of a cap. put may sleep. */
void cap_get(struct cap cap);
void cap_put(struct cap cap);

/* Puts what *held names, if anything; then it names nothing. */
static inline void cap_drop(struct cap *held)
{
	struct cap cap = *held;

	*held = (struct cap){ .type = WEIR_OBJ_NONE };
	if (cap.object)
		cap_put(cap);
}
