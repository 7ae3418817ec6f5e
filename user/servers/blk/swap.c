/*
 * swap.c - a disk as the kernel's swap: page n of the disk is slot n.
 *
 * What reclaim waits for may not wait for reclaim. So this program is pinned,
 * the bytes go through wired pages, these threads serve nobody else, and they
 * call nothing that allocates. The kernel gives a request up that is not
 * answered in time, and goes on with its ramdisk.
 */
#include <string.h>

#include "user/servers/blk/virtio.h"

#define PRIORITY 30u
#define BIT 0u

static handle_t pager, requests;
static struct disk *disk;

static void serve_one(const struct weir_pager_request *r, unsigned slot)
{
	bool write = r->kind == WEIR_PAGER_WRITE;
	long error = virtio_io(disk, slot, write ? VBLK_OUT : VBLK_IN,
			       r->page * BLK_PAGE_SECTORS, WEIR_PAGE_SIZE);

	sys_pager_done(pager, r->cookie, virtio_bytes(slot), (int)error);
}

/* Until the kernel has nothing more for now. */
static void serve_swap(void *arg)
{
	unsigned slot = (unsigned)(uintptr_t)arg;
	struct weir_pager_request r;
	long error;

	sys_thread_ctl(0, WEIR_THREAD_PRIO, PRIORITY);
	for (;;) {
		error = sys_pager_next(pager, &r, virtio_bytes(slot));
		if (error == 0)
			serve_one(&r, slot);
		else
			sys_ntfn_wait(requests, 1ull << BIT, 0, NULL);
	}
}

static struct disk *find_disk(void)
{
	for (unsigned i = 0; i < ndisks; i++)
		if (strcmp(disks[i].info.serial, "swap") == 0 &&
		    !disks[i].info.readonly &&
		    disks[i].info.sectors >= 2 * BLK_PAGE_SECTORS)
			return &disks[i];
	return NULL;
}

static long attach(uint64_t pages)
{
	handle_t mem;
	long h = sys_ntfn_create(), error;

	if (h < 0)
		return h;
	requests = (handle_t)h;
	h = sys_pager_create(requests, BIT, pages, 0, &mem);
	if (h < 0)
		return h;
	pager = (handle_t)h;
	for (uintptr_t i = 0; i < SWAP_SLOTS; i++)
		if (!uthread_start(serve_swap, (void *)(CLIENT_SLOTS + i), -1))
			return -WEIR_ENOMEM;
	error = sys_sys_ctl(WEIR_CTL_SWAP, mem, 0);
	sys_handle_close(mem);
	return error;
}

void swap_start(void)
{
	struct weir_system system;
	uint64_t pages;
	long error;

	system_read(&system);
	if (!system.swap_virtio)
		return;
	disk = find_disk();
	if (!disk) {
		klogf("swap=virtio, but no disk that can be written has the "
		      "serial \"swap\": swap stays on the ramdisk");
		return;
	}
	pages = disk->info.sectors / BLK_PAGE_SECTORS;
	error = attach(pages);
	disk->swap = error == 0;
	if (error == 0)
		klogf("%llu MiB of swap", (unsigned long long)pages >> 8);
	else
		klogf("swap stays on the ramdisk: %s", weir_strerror(error));
}
