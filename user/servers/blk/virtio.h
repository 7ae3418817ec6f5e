/*
 * virtio.h - the parts of the block server: the bus, the devices.
 *
 * All memory that a device sees is one wired object, which init keeps: while
 * a device may still write to it, it must not go, whoever dies. The next
 * incarnation resets the devices before it uses the memory again.
 */
#pragma once

#include "user/lib/blk.h"

#define DISKS_MAX 8u
#define CLIENT_SLOTS 6u     /* requests in flight, and threads that serve */
#define SWAP_SLOTS 4u       /* the same for the kernel's swap */
#define SLOTS (CLIENT_SLOTS + SWAP_SLOTS)
#define SLOT_PAGES 4u       /* bytes of one */
#define SLOT_SECTORS (SLOT_PAGES * BLK_PAGE_SECTORS)

/* Of a request to the device. */
enum virtio_blk_type { VBLK_IN = 0, VBLK_OUT = 1, VBLK_FLUSH = 4, VBLK_ID = 8 };

struct disk {
	struct blk_info info;
	handle_t ports; /* the registers, and nothing else */
	unsigned bar;   /* the first of them */
	unsigned line;  /* its interrupt; may be shared */
	bool swap;      /* the kernel's alone */
	bool can_flush; /* else each write is on the disk at once */

	/* The rings. `lock`: the available one; the other is the interrupt
	 * thread's. */
	unsigned size; /* entries, a power of 2 */
	struct vdesc *desc;
	struct vavail *avail;
	volatile struct vused *used;
	uint16_t next_used;
};

extern struct disk disks[DISKS_MAX];
extern unsigned ndisks;

/* Looks for disks on the bus: ports, line. Gives up the rights that are not
 * needed afterwards. */
void pci_find(void);

/* Resets all disks, gives them their rings, starts the interrupt thread, and
 * asks for the serials. 0 or an error: nothing can be served. A disk that is
 * not usable is reported and left out. */
long virtio_start(void);

/* The memory of a request: SLOT_PAGES. */
void *virtio_bytes(unsigned slot);

/* One request with the first bytes of `slot`, which is the caller's alone, to
 * its end. 0, -WEIR_EIO: the device failed it. */
long virtio_io(struct disk *d, unsigned slot, enum virtio_blk_type type,
	       uint64_t sector, unsigned bytes);

/* Gives the disk with the serial "swap" to the kernel as a swap device, if
 * swap=virtio was asked for, and serves it with threads of its own. */
void swap_start(void);

/* A lock that waits asleep: threads that serve clients have priorities. */
struct mutex {
	handle_t ntfn;
};
bool mutex_make(struct mutex *m);
void mutex_take(struct mutex *m);
void mutex_drop(struct mutex *m);
