/*
 * swap.h - swap space: slots of one page, and the device that holds them.
 *
 * A slot is owned by one object entry or one frame at a time; slot 0 is
 * never given out, so 0 means "none". Reading and writing is asynchronous:
 * done() is called when it is over, mostly from a thread of the device.
 * Invariants: I4 (no IO while a CPU may write), I9.
 */
#pragma once


#include "mm/pageio.h"

#define SLOT_ATTACHED (1u << 31) /* in a slot's number: a program keeps it */

/* Makes the ramdisk of `mib` MiB (0: no swap) and the table of its slots.
 * Boot, after frame_init; its thread starts in ramdisk_start. Panics,
 * naming what is needed, when memory does not suffice. */
void swap_init(uint64_t mib);

/* A free slot, or 0 when swap is full; `vital`: only of the ramdisk. Any
 * context, any lock. */
uint32_t swap_slot_alloc(bool vital);
/* The memory of the device that may be better not trusted, or NULL. */
struct memobj *swap_attached(void);
/* Gives the slot back; panics when it is free already or out of range. The
 * slot must have no IO in flight. Any context, any lock. */
void swap_slot_free(uint32_t slot);

bool swap_slot_taken(uint32_t slot);

/* The page is nowhere but in the frame from now on. Caller holds the lock of
 * its family. */
void frame_drop_slot(struct frame *f);

/* False: its device failed, and the page needs another slot. */
bool swap_slot_takes_writes(uint32_t slot);

/* A program becomes a swap device, and the first choice: each page but page 0
 * of `obj`, which is paged, is a slot. Takes the place of one that failed and
 * has no page left. 0, -WEIR_EINVAL, -WEIR_ENOMEM, -WEIR_EBUSY. May sleep. */
int swap_attach(struct memobj *obj);

uint32_t swap_slots_total(void);
uint32_t swap_slots_free(void);
/* Free slots are so few (1/8) that clean copies should give theirs back. */
bool swap_is_tight(void);

/* Starts the IO; counts pswpin or pswpout. The slot must be allocated, the
 * frame INBOUND (read) or LAUNDRY (write). As pageio_submit. */
bool swap_submit(struct pageio *io);

/* check=slots: the IO is over; unless it failed, or had no slot, it has carried
 * the page as it was when it was given to the device: the frame has not
 * changed while it was written (I9), or is what was written to the slot (I17).
 * Panics if not. The frame is still LAUNDRY or INBOUND. */
void swap_check(const struct pageio *io);

/* The slots of device 0 on their own, for swap_init and the host tests; false:
 * out of memory. */
bool swap_slots_init(uint32_t nslots);

/* mm/ramdisk.c: the device of `mib` MiB, a page a slot; false: out of memory.
 * submit: as swap_submit, never sleeps, never fails but through io->status. A
 * read that is due at once is copied by who asks, who would only wait. */
bool ramdisk_init(uint64_t mib);
void ramdisk_start(void);
bool ramdisk_submit(struct pageio *io);
/* Wakes the device's thread: writes wait for it, so that a run of them costs
 * one wake-up. Any context. */
void ramdisk_kick(void);
