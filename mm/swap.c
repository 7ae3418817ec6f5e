/*
 * swap.c - swap slots and the way to the swap devices.
 *
 * Device 0 is the ramdisk. Device 1 is a program, if one has attached itself:
 * a pager whose pages are slots. It comes first while it takes writes, but
 * for the pages of system tasks, which must outlive it; when it fails or is
 * late the ramdisk takes over, and what it has is read from it as long as it
 * lives.
 * Owns a bitmap of slots for each: bit set, slot taken; bit 0 and the bits
 * behind the last slot are set for ever. The cursor rotates, so that a slot
 * just freed is the last to be used again and pages that leave together lie
 * together. Locks: slot_lock, a leaf.
 */
#include "mm/swap.h"

#include "kernel/param.h"
#include "kernel/stat.h"
#include "mm/kmalloc.h"
#include "mm/pager.h"

static struct spinlock slot_lock = SPINLOCK_INIT(slots);
static struct swapdev {
	uint64_t *bits;   /* under slot_lock, as the rest */
	uint64_t words;
	uint64_t cursor;  /* the word to look at next */
	uint32_t total, nfree; /* read without it, too */
	uint32_t lost; /* of `total`, by swap-shrink; nobody has them */
	/* check=slots, else NULL: behind the bits, a sum of what each slot
	 * should hold; who has the slot writes it. Short ones, so that one
	 * block of memory does for 7 GiB of swap. */
	uint16_t *sums;
	struct memobj *object; /* device 1: its pages are the slots */
} devs[2];

static struct swapdev *dev_of(uint32_t slot)
{
	return &devs[slot / SLOT_ATTACHED];
}

static uint16_t checksum(const struct frame *f)
{
	const uint64_t *word = frame_kva(f);
	uint64_t sum = 1;

	for (unsigned i = 0; i < WEIR_PAGE_SIZE / 8; i++) {
		sum = (sum ^ word[i]) * 0x9e3779b97f4a7c15ull;
		sum ^= sum >> 32;
	}
	return sum;
}

void swap_check(const struct pageio *io)
{
	if (!io->slot || io->status)
		return;
	const uint16_t *sums = dev_of(io->slot)->sums;

	if (sums && sums[io->slot % SLOT_ATTACHED] != checksum(io->frame))
		panic(io->write ? "I9, Z29: frame %lx has changed while it "
				  "was written to slot %x" :
				  "I17, Z28: frame %lx is not what was "
				  "written to slot %x",
		      frame_pa(io->frame), io->slot);
}

/* A device of `nslots` free slots; with no `bits` when out of memory. */
static struct swapdev fresh_device(uint64_t nslots)
{
	struct swapdev d = { .words = (nslots + 64) / 64, .total = nslots,
			     .nfree = nslots };
	uint64_t nsums = params.check & CHECK_SLOTS ? nslots + 1 : 0;

	d.bits = kzalloc(d.words * sizeof(*d.bits) + nsums * sizeof(*d.sums));
	if (!d.bits)
		return d;
	if (nsums)
		d.sums = (uint16_t *)(d.bits + d.words);
	d.bits[0] |= 1;
	for (uint64_t s = nslots + 1; s < d.words * 64; s++)
		d.bits[s / 64] |= 1ull << s % 64;
	return d;
}

bool swap_slots_init(uint32_t nslots)
{
	devs[0] = fresh_device(nslots);
	return devs[0].bits;
}

uint32_t swap_slots_total(void)
{
	return devs[0].total - devs[0].lost + devs[1].total;
}

uint32_t swap_slots_free(void)
{
	return __atomic_load_n(&devs[0].nfree, __ATOMIC_RELAXED) +
	       __atomic_load_n(&devs[1].nfree, __ATOMIC_RELAXED);
}

bool swap_is_tight(void)
{
	return swap_slots_free() <= swap_slots_total() / 8;
}

bool swap_slot_takes_writes(uint32_t slot)
{
	const struct memobj *obj = dev_of(slot)->object;

	return !obj || pager_takes_writes(obj->family->pager);
}

/* Takes a free slot of the device; 0: there is none. Holds slot_lock. */
static uint32_t take_slot(struct swapdev *d)
{
	uint32_t slot = 0;

	while (d->nfree && d->bits[d->cursor] == UINT64_MAX)
		d->cursor = (d->cursor + 1) % d->words;
	if (d->nfree) {
		unsigned bit = __builtin_ctzll(~d->bits[d->cursor]);

		d->bits[d->cursor] |= 1ull << bit;
		slot = d->cursor * 64 + bit;
		d->nfree--;
		if (bit == 63)
			d->cursor = (d->cursor + 1) % d->words;
	}
	return slot;
}

struct memobj *swap_attached(void)
{
	return devs[1].object;
}

uint32_t swap_slot_alloc(bool vital)
{
	if (INJECT("swap-full"))
		return 0;
	spin_lock(&slot_lock);
	bool attached = !vital && devs[1].nfree &&
			swap_slot_takes_writes(SLOT_ATTACHED);
	uint32_t slot = attached ? take_slot(&devs[1]) | SLOT_ATTACHED :
				   take_slot(&devs[0]);
	spin_unlock(&slot_lock);
	return slot;
}

bool swap_slot_taken(uint32_t slot)
{
	struct swapdev *d = dev_of(slot);
	uint32_t n = slot % SLOT_ATTACHED;

	return n >= 1 && n <= d->total &&
	       __atomic_load_n(&d->bits[n / 64], __ATOMIC_RELAXED) >> n % 64 &
	       1;
}

void swap_slot_free(uint32_t slot)
{
	struct swapdev *d = dev_of(slot);
	uint32_t n = slot % SLOT_ATTACHED;

	spin_lock(&slot_lock);
	if (!swap_slot_taken(slot))
		panic("swap slot %x of %u is freed twice, or does not exist",
		      slot, d->total);
	if (d->sums)
		d->sums[n] = 0;
	if (d == &devs[0] && INJECT("swap-shrink")) {
		d->lost++; /* its bit stays set for ever */
	} else {
		d->bits[n / 64] &= ~(1ull << n % 64);
		d->nfree++;
	}
	spin_unlock(&slot_lock);
}

void frame_drop_slot(struct frame *f)
{
	swap_slot_free(f->slot);
	f->slot = 0;
	f->dirty = true;
}

int swap_attach(struct memobj *obj)
{
	uint64_t nslots = obj->npages - 1; /* page 0 is no slot */

	if (!obj->family->pager || nslots == 0)
		return -WEIR_EINVAL;
	struct swapdev d = fresh_device(nslots);
	if (!d.bits)
		return -WEIR_ENOMEM;
	d.object = memobj_get(obj);
	spin_lock(&slot_lock);
	bool busy = devs[1].object && (devs[1].nfree != devs[1].total ||
				       swap_slot_takes_writes(SLOT_ATTACHED));
	if (!busy) {
		struct swapdev old = devs[1];

		devs[1] = d;
		d = old;
	}
	spin_unlock(&slot_lock);
	if (d.object) /* the one that did not fit, or is no more */
		memobj_put(d.object);
	kfree(d.bits);
	return busy ? -WEIR_EBUSY : 0;
}

void swap_init(uint64_t mib)
{
	uint64_t npages = mib * PAGES_PER_MIB;

	if (mib == 0)
		return;
	if (!swap_slots_init(npages) || !ramdisk_init(mib) ||
	    nr_frames() < FRAME_LEAST_MIB * PAGES_PER_MIB)
		panic("too little memory for swap=%lu: %lu MiB, and %u MiB "
		      "beside it, are needed; give the machine more, or lower "
		      "swap=", mib, mib, FRAME_LEAST_MIB);
}

bool swap_submit(struct pageio *io)
{
	struct swapdev *d = dev_of(io->slot);

	assert(swap_slot_taken(io->slot));
	assert(io->done);
	assert(io->frame->state ==
	       (io->write ? FRAME_LAUNDRY : FRAME_INBOUND));
	if (io->write && d->sums)
		d->sums[io->slot % SLOT_ATTACHED] = checksum(io->frame);
	stat_add(io->write ? WEIR_C_pswpout : WEIR_C_pswpin, 1);
	io->status = 0;
	if (io->slot & SLOT_ATTACHED) {
		io->pager = d->object->family->pager;
		io->page = io->slot % SLOT_ATTACHED;
		pager_submit(io);
		return false;
	}
	return ramdisk_submit(io);
}
