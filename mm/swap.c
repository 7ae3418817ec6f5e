/*
 * swap.c - swap slots and the way to the swap device.
 *
 * Owns the bitmap of slots: bit set, slot taken. The cursor rotates, so that
 * a slot just freed is the last to be used again and pages that leave
 * together lie together. Locks: slot_lock, a leaf. Bit 0 and the bits behind
 * the last slot are set for ever.
 */
#include "mm/swap.h"

#include "arch/x86_64/panic.h"
#include "arch/x86_64/spin.h"
#include "kernel/abi/weir.h"
#include "kernel/stat.h"
#include "kernel/sync.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"

#define PAGES_PER_MIB (1048576 / WEIR_PAGE_SIZE)

static struct spinlock slot_lock = SPINLOCK_INIT("slot_lock");
static uint64_t *slots;    /* under slot_lock */
static uint64_t slot_words; /* constant */
static uint64_t cursor;    /* under slot_lock: the word to look at next */
static uint32_t total;     /* constant */
static uint32_t nfree;     /* under slot_lock; read without it too */

void swap_slots_init(uint64_t *bits, uint32_t nslots)
{
	slots = bits;
	slot_words = ((uint64_t)nslots + 64) / 64;
	cursor = 0;
	total = nfree = nslots;
	slots[0] |= 1;
	for (uint64_t s = (uint64_t)nslots + 1; s < slot_words * 64; s++)
		slots[s / 64] |= 1ull << s % 64;
}

uint32_t swap_slots_total(void)
{
	return total;
}

uint32_t swap_slots_free(void)
{
	return __atomic_load_n(&nfree, __ATOMIC_RELAXED);
}

bool swap_is_tight(void)
{
	return swap_slots_free() <= total / 8;
}

uint32_t swap_slot_alloc(void)
{
	uint32_t slot = 0;

	spin_lock(&slot_lock);
	while (nfree && slots[cursor] == UINT64_MAX)
		cursor = (cursor + 1) % slot_words;
	if (nfree) {
		unsigned bit = __builtin_ctzll(~slots[cursor]);

		slots[cursor] |= 1ull << bit;
		slot = cursor * 64 + bit;
		nfree--;
		if (bit == 63)
			cursor = (cursor + 1) % slot_words;
	}
	spin_unlock(&slot_lock);
	return slot;
}

/* Whether `slot` is a taken one. */
static bool slot_taken(uint32_t slot)
{
	return slot >= 1 && slot <= total &&
	       __atomic_load_n(&slots[slot / 64], __ATOMIC_RELAXED) >>
	       slot % 64 & 1;
}

void swap_slot_free(uint32_t slot)
{
	spin_lock(&slot_lock);
	if (!slot_taken(slot))
		panic("swap slot %u of %u is freed twice, or does not exist",
		      slot, total);
	slots[slot / 64] &= ~(1ull << slot % 64);
	nfree++;
	spin_unlock(&slot_lock);
}

void swap_init(uint64_t mib)
{
	uint64_t npages = mib * PAGES_PER_MIB, pa;
	uint64_t *bits;

	if (mib == 0)
		return;
	pa = mib > UINT32_MAX / PAGES_PER_MIB ? 0 : frame_carve(npages);
	bits = kzalloc((npages + 64) / 64 * sizeof(*bits));
	if (!pa || !bits ||
	    nr_frames() < FRAME_LEAST_MIB * PAGES_PER_MIB)
		panic("too little memory for swap=%lu: %lu MiB in one piece "
		      "and %u MiB beside it are needed; give the machine more, "
		      "or lower swap=", mib, mib, FRAME_LEAST_MIB);
	ramdisk_init(pa);
	swap_slots_init(bits, npages);
}

void swap_start(void)
{
	if (total)
		ramdisk_start();
}

void swap_submit(struct pageio *io)
{
	unsigned state = io->frame->state;

	assert(slot_taken(io->slot));
	assert(io->done);
	if (io->write)
		assert(state == FRAME_LAUNDRY);
	else
		assert(state == FRAME_INBOUND || state == FRAME_PINNED);
	stat_add(io->write ? WEIR_C_pswpout : WEIR_C_pswpin, 1);
	io->status = 0;
	ramdisk_submit(io);
}
