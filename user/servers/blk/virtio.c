/*
 * virtio.c - virtio block devices by their legacy interface (virtio 1.2,
 * 4.1.4.8, 2.7 and 5.2): one queue each, and interrupts.
 *
 * A slot is a request in flight: three descriptors of each queue, a header, a
 * status byte, and pages for its data, at fixed places of the wired memory;
 * it belongs to one thread, so nothing is ever allocated. `done` has a bit a
 * slot. The interrupt thread makes the devices let go of the line (reading
 * ISR does that), unmasks it, and then takes what is in the used rings: what
 * comes later raises the line again, so nothing is lost.
 */
#include <string.h>

#include "user/lib/server.h"
#include "user/servers/blk/virtio.h"

/* Registers, and bits of some. */
enum { DEVICE_FEATURES = 0, DRIVER_FEATURES = 4, QUEUE_PAGE = 8,
       QUEUE_SIZE = 12, QUEUE_SELECT = 14, QUEUE_NOTIFY = 16, STATUS = 18,
       ISR = 19, CAPACITY = 20 };
enum { S_RESET = 0, S_ACKNOWLEDGE = 1, S_DRIVER = 2, S_DRIVER_OK = 4 };
#define F_READONLY (1u << 5)
#define F_FLUSH (1u << 9)

#define QUEUE_MAX 256u /* entries; what a legacy device has is not ours */
#define RING_PAGES 3u  /* of a queue of that size */
#define INTERRUPT_PRIORITY 31u
#define MEMORY_PAGES (1 + SLOTS * SLOT_PAGES + DISKS_MAX * RING_PAGES)
#define SERIAL_BYTES 20u
#define PENDING 0xffu
#define START_NS 2000000000ull /* in which a device must say its serial */

struct vdesc {
	uint64_t pa;
	uint32_t bytes;
	uint16_t flags, next;
};
enum { D_NEXT = 1, D_WRITE = 2 };
struct vavail {
	uint16_t flags, index, ring[];
};
struct vused {
	uint16_t flags, index;
	struct {
		uint32_t id, bytes;
	} ring[];
};

/* One for each slot, in the first page. */
struct header {
	uint32_t type, reserved;
	uint64_t sector;
	uint8_t status; /* 0: done, PENDING, else it failed */
	uint8_t pad[47];
};
_Static_assert(SLOTS * sizeof(struct header) <= WEIR_PAGE_SIZE, "one page");
_Static_assert(3 * SLOTS <= 32, "the smallest queue");

struct disk disks[DISKS_MAX];
unsigned ndisks;

static uint8_t *memory;
static uint64_t memory_pa;
static handle_t done, interrupts;
static struct mutex ring_lock; /* of all available rings */

bool mutex_make(struct mutex *m)
{
	long h = sys_ntfn_create();

	m->ntfn = h < 0 ? 0 : (handle_t)h;
	return h >= 0 && sys_ntfn_signal(m->ntfn, 1) == 0;
}

void mutex_take(struct mutex *m)
{
	sys_ntfn_wait(m->ntfn, 1, 0, NULL);
}

void mutex_drop(struct mutex *m)
{
	sys_ntfn_signal(m->ntfn, 1);
}

static uint32_t in(const struct disk *d, unsigned reg, unsigned bytes)
{
	return (uint32_t)sys_port_in(d->ports, (uint16_t)(d->bar + reg),
				     bytes);
}

static void out(const struct disk *d, unsigned reg, unsigned bytes,
		uint32_t value)
{
	sys_port_out(d->ports, (uint16_t)(d->bar + reg), bytes, value);
}

static struct header *header_of(unsigned slot)
{
	return (struct header *)memory + slot;
}

void *virtio_bytes(unsigned slot)
{
	return memory + (1 + slot * SLOT_PAGES) * WEIR_PAGE_SIZE;
}

static uint64_t pa_of(const void *p)
{
	return memory_pa + (uint64_t)((const uint8_t *)p - memory);
}

/* --- requests ------------------------------------------------------------- */

/* Writes the slot's chain of descriptors. */
static void describe(struct disk *d, unsigned slot, unsigned bytes, bool in)
{
	struct header *h = header_of(slot);
	struct vdesc *c = d->desc + 3 * slot;
	uint16_t status = (uint16_t)(3 * slot + 2);

	c[0] = (struct vdesc){ pa_of(h), 16, D_NEXT,
			       bytes ? (uint16_t)(status - 1) : status };
	c[1] = (struct vdesc){ pa_of(virtio_bytes(slot)), bytes,
			       D_NEXT | (in ? D_WRITE : 0), status };
	c[2] = (struct vdesc){ pa_of(&h->status), 1, D_WRITE, 0 };
}

static void submit(struct disk *d, unsigned slot)
{
	mutex_take(&ring_lock);
	d->avail->ring[d->avail->index % d->size] = (uint16_t)(3 * slot);
	__atomic_store_n(&d->avail->index, d->avail->index + 1,
			 __ATOMIC_SEQ_CST);
	mutex_drop(&ring_lock);
	out(d, QUEUE_NOTIFY, 2, 0);
}

/* The slot is the device's until its bit of `done` is set. -WEIR_ETIMEOUT: it
 * still is. */
static long io_until(struct disk *d, unsigned slot, enum virtio_blk_type type,
		     uint64_t sector, unsigned bytes, uint64_t deadline)
{
	struct header *h = header_of(slot);

	*h = (struct header){ .type = type, .sector = sector,
			      .status = PENDING };
	describe(d, slot, bytes, type != VBLK_OUT);
	submit(d, slot);
	do {
		if (sys_ntfn_wait(done, 1ull << slot, deadline, NULL) < 0)
			return -WEIR_ETIMEOUT;
	} while (*(volatile uint8_t *)&h->status == PENDING);
	return h->status ? -WEIR_EIO : 0;
}

long virtio_io(struct disk *d, unsigned slot, enum virtio_blk_type type,
	       uint64_t sector, unsigned bytes)
{
	if (type == VBLK_FLUSH && !d->can_flush)
		return 0;
	return io_until(d, slot, type, sector, bytes, 0);
}

/* Takes what a device has finished. */
static void reap(struct disk *d)
{
	while (d->next_used !=
	       __atomic_load_n(&d->used->index, __ATOMIC_ACQUIRE)) {
		uint32_t id = d->used->ring[d->next_used++ % d->size].id;

		if (id < 3 * SLOTS)
			sys_ntfn_signal(done, 1ull << id / 3);
	}
}

/* A thread; bit n of `interrupts` is line n. */
static void serve_interrupts(void *arg)
{
	uint64_t lines;

	(void)arg;
	sys_thread_ctl(0, WEIR_THREAD_PRIO, INTERRUPT_PRIORITY);
	while (sys_ntfn_wait(interrupts, ~0ull, 0, &lines) == 0) {
		for (unsigned i = 0; i < ndisks; i++)
			in(&disks[i], ISR, 1);
		for (unsigned n = 0; n < 16; n++)
			if (lines & 1u << n)
				sys_dev_irq(startup->irq[n], WEIR_IRQ_ACK, 0,
					    0);
		for (unsigned i = 0; i < ndisks; i++)
			reap(&disks[i]);
	}
}

/* --- the start ------------------------------------------------------------ */

/* The wired memory: init's copy, of the first incarnation, or fresh. */
static long open_memory(void)
{
	handle_t kept = keep_get(0);
	long mem = kept ? kept : sys_mem_create(MEMORY_PAGES, WEIR_MEM_WIRED);
	struct weir_object_info info;
	long error, va;

	if (mem < 0)
		return mem;
	error = kept ? 0 : keep_put(0, (handle_t)mem);
	if (error == 0)
		error = sys_object_info((handle_t)mem, &info, sizeof(info));
	if (error < 0)
		return error;
	va = sys_mem_map(startup->self, (handle_t)mem, 0, 0, MEMORY_PAGES,
			 WEIR_P_READ | WEIR_P_WRITE);
	if (va < 0)
		return va;
	memory = (uint8_t *)va;
	memory_pa = info.mem.pa;
	return 0;
}

static void reset(const struct disk *d)
{
	out(d, STATUS, 1, S_RESET);
	while (in(d, STATUS, 1) != 0)
		uthread_yield();
}

/* Lets the device use its queue, the `i`-th. False: it cannot be served. */
static bool begin(struct disk *d, unsigned i)
{
	uint8_t *ring = memory + (1 + SLOTS * SLOT_PAGES + i * RING_PAGES) *
					 WEIR_PAGE_SIZE;
	uint32_t features;

	out(d, STATUS, 1, S_ACKNOWLEDGE | S_DRIVER);
	features = in(d, DEVICE_FEATURES, 4) & (F_READONLY | F_FLUSH);
	out(d, DRIVER_FEATURES, 4, features);
	out(d, QUEUE_SELECT, 2, 0);
	d->size = in(d, QUEUE_SIZE, 2);
	if (d->size < 3 * SLOTS || d->size > QUEUE_MAX) {
		klogf("disk %u: a queue of %u entries", i, d->size);
		return false;
	}
	memset(ring, 0, RING_PAGES * WEIR_PAGE_SIZE);
	d->desc = (struct vdesc *)ring;
	d->avail = (struct vavail *)(d->desc + d->size);
	d->used = (struct vused *)(ring + (d->size * 18u + 6 +
					   WEIR_PAGE_SIZE - 1) /
					  WEIR_PAGE_SIZE * WEIR_PAGE_SIZE);
	d->next_used = 0;
	d->can_flush = features & F_FLUSH;
	d->info.readonly = features & F_READONLY;
	d->info.sectors = in(d, CAPACITY, 4) |
			  (uint64_t)in(d, CAPACITY + 4, 4) << 32;
	out(d, QUEUE_PAGE, 4, (uint32_t)(pa_of(ring) / WEIR_PAGE_SIZE));
	out(d, STATUS, 1, S_ACKNOWLEDGE | S_DRIVER | S_DRIVER_OK);
	return true;
}

/* Its serial, with slot 0. A device that does not know the question has
 * none; one that does not answer has no sectors. */
static void identify(struct disk *d, unsigned i)
{
	long error = io_until(d, 0, VBLK_ID, 0, SERIAL_BYTES,
			      now_ns() + START_NS);

	memset(d->info.serial, 0, BLK_SERIAL_BYTES);
	if (error == 0)
		memcpy(d->info.serial, virtio_bytes(0), SERIAL_BYTES);
	if (error == -WEIR_ETIMEOUT) {
		klogf("disk %u does not answer", i);
		reset(d);
		d->info.sectors = 0;
		return;
	}
	klogf("disk %u: %s, %llu sectors%s", i, d->info.serial,
	      (unsigned long long)d->info.sectors,
	      d->info.readonly ? ", read-only" : "");
}

/* Begins with all disks, and leaves out those that cannot be served. */
static void begin_all(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ndisks; i++)
		reset(&disks[i]);
	for (unsigned i = 0; i < ndisks; i++) {
		disks[n] = disks[i];
		if (begin(&disks[n], n))
			n++;
	}
	ndisks = n;
}

static bool bind_line(unsigned line)
{
	return sys_dev_irq(startup->irq[line], WEIR_IRQ_BIND, interrupts,
			   line) == 0;
}

long virtio_start(void)
{
	long error = open_memory(), h = sys_ntfn_create();
	long other = sys_ntfn_create();

	if (error < 0 || h < 0 || other < 0 || !mutex_make(&ring_lock))
		return error < 0 ? error : -WEIR_ENOMEM;
	done = (handle_t)h;
	interrupts = (handle_t)other;
	begin_all();
	for (unsigned i = 0; i < ndisks; i++)
		if (!bind_line(disks[i].line))
			return -WEIR_EIO;
	if (!uthread_start(serve_interrupts, NULL, -1))
		return -WEIR_ENOMEM;
	for (unsigned i = 0; i < ndisks; i++)
		identify(&disks[i], i);
	return 0;
}
