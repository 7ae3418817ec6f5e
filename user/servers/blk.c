/*
 * blk - the block server: all virtio disks of the bus (user/lib/blk.h).
 *
 * CLIENT_SLOTS threads serve, each with a request to a device of its own, so
 * that many are in flight; the bytes go through the slot's wired pages (blk/
 * virtio.h). After the start nothing is allocated but a session's mapping, so
 * it can serve those that memory waits for. Sessions are a static table, and
 * die with this server; one whose owner has ended is dropped when another
 * is opened. `sessions_lock` guards the table; a session that is in use, or
 * its mapping, goes with its last user.
 */
#include <string.h>

#include "user/lib/server.h"
#include "user/servers/blk/virtio.h"

#define SESSIONS 32u
#define EVERYBODY (~0ull) /* the badge of what the name server gives */
#define READ_WRITE (WEIR_P_READ | WEIR_P_WRITE)

static struct session {
	uint64_t badge; /* 0: free; unlike any of an earlier server's */
	struct disk *disk;
	handle_t owner; /* a task */
	uint8_t *bytes; /* the client's memory; NULL: not there yet */
	handle_t mem;   /* pinned, or wired */
	uint64_t size;
	unsigned users; /* threads that serve a request of it */
	bool closed;    /* no more of them */
} sessions[SESSIONS];
static struct mutex sessions_lock;

/* --- sessions: under sessions_lock ---------------------------------------- */
static void forget_memory(uint8_t *bytes, handle_t mem, uint64_t pages)
{
	pages_unmap(bytes, pages);
	sys_mem_pin(mem, 0, pages, 0); /* wired memory stays what it is */
	sys_handle_close(mem);
}

static void free_if_unused(struct session *s)
{
	if (!s->closed || s->users)
		return;
	if (s->bytes)
		forget_memory(s->bytes, s->mem, s->size / WEIR_PAGE_SIZE);
	sys_handle_close(s->owner);
	*s = (struct session){ 0 };
}

static bool alive(handle_t task)
{
	struct weir_object_info info;

	return sys_object_info(task, &info, sizeof(info)) == 0 &&
	       info.type == WEIR_OBJ_TASK && info.task.alive;
}

static void drop_orphans(void)
{
	for (unsigned i = 0; i < SESSIONS; i++)
		if (sessions[i].badge && !alive(sessions[i].owner)) {
			sessions[i].closed = true;
			free_if_unused(&sessions[i]);
		}
}

/* A free place for `owner`; NULL: none. */
static struct session *make(struct disk *d, handle_t owner)
{
	for (unsigned i = 0; i < SESSIONS; i++) {
		struct session *s = &sessions[i];

		if (s->badge)
			continue;
		*s = (struct session){ .badge = now_ns() * SESSIONS + i,
				       .disk = d, .owner = owner };
		return s;
	}
	return NULL;
}

/* --- requests ------------------------------------------------------------- */

/* The session that a request came through, held until session_put. */
static struct session *session_get(uint64_t badge)
{
	struct session *s = &sessions[badge % SESSIONS];

	mutex_take(&sessions_lock);
	if (s->badge != badge || s->closed)
		s = NULL;
	else
		s->users++;
	mutex_drop(&sessions_lock);
	return s;
}

static void session_put(struct session *s)
{
	mutex_take(&sessions_lock);
	s->users--;
	free_if_unused(s);
	mutex_drop(&sessions_lock);
}

static long do_info(struct weir_msg *m)
{
	const struct blk_info *info;

	if (m->w[0] >= ndisks)
		return -BLK_NONE;
	info = &disks[m->w[0]].info;
	m->w[0] = info->sectors;
	m->w[1] = info->readonly;
	memcpy(&m->w[2], info->serial, BLK_SERIAL_BYTES);
	return 0;
}

static long do_open(struct weir_msg *m, handle_t *came)
{
	struct disk *d = m->w[0] < ndisks ? &disks[m->w[0]] : NULL;
	struct session *s;
	long error, h;

	error = do_info(m);
	if (error == 0 && d->swap)
		error = -WEIR_EBUSY;
	if (error == 0 && (!*came || !alive(*came)))
		error = -WEIR_EINVAL;
	if (error < 0)
		return error;
	mutex_take(&sessions_lock);
	drop_orphans();
	s = make(d, *came);
	h = s ? sys_handle_dup(startup->extra[SERVER_EP],
			       WEIR_R_WRITE | WEIR_R_DUP, s->badge)
	      : -WEIR_EFULL;
	if (h < 0 && s)
		*s = (struct session){ 0 };
	mutex_drop(&sessions_lock);
	if (h < 0)
		return h;
	*came = 0; /* the session's */
	m->handle = (handle_t)h;
	return 0;
}

/* Only memory that is sure to come when it is touched: no other pager's. */
static long map_memory(handle_t mem, uint64_t *size)
{
	struct weir_object_info info;
	long error = sys_object_info(mem, &info, sizeof(info)), va;
	struct weir_system system;

	if (error < 0)
		return error;
	if (info.type != WEIR_OBJ_MEM || info.mem.kind == WEIR_MEM_IS_PAGED ||
	    info.mem.npages > BLK_MEMORY_PAGES)
		return -WEIR_EINVAL;
	system_read(&system);
	if (system.frames_free + system.swap_free <
	    info.mem.npages + system.frames_reserve)
		return -WEIR_ENOMEM;
	va = info.mem.kind == WEIR_MEM_IS_ANON ?
		sys_mem_pin(mem, 0, info.mem.npages, 1) : 0;
	if (va >= 0)
		va = sys_mem_map(startup->self, mem, 0, 0, info.mem.npages,
				 READ_WRITE);
	if (va < 0) /* not even a part of it stays pinned */
		sys_mem_pin(mem, 0, info.mem.npages, 0);
	*size = info.mem.npages * WEIR_PAGE_SIZE;
	return va;
}

static long do_memory(struct session *s, handle_t *came)
{
	handle_t mem = *came;
	uint64_t size = 0;
	long va = mem ? map_memory(mem, &size) : -WEIR_EINVAL;
	bool taken = false;

	if (va < 0)
		return va;
	*came = 0; /* the session's */
	mutex_take(&sessions_lock);
	if (!s->bytes) {
		s->size = size;
		s->mem = mem;
		__atomic_store_n(&s->bytes, (uint8_t *)va, __ATOMIC_RELEASE);
		taken = true;
	}
	mutex_drop(&sessions_lock);
	if (!taken)
		forget_memory((uint8_t *)va, mem, size / WEIR_PAGE_SIZE);
	return taken ? 0 : -WEIR_EBUSY;
}

/* In pieces that fit into a slot. */
static long transfer(struct session *s, unsigned slot, uint64_t sector,
		     uint64_t sectors, uint8_t *bytes, bool write)
{
	long error = 0;

	while (error == 0 && sectors) {
		uint64_t n = sectors < SLOT_SECTORS ? sectors : SLOT_SECTORS;
		unsigned size = (unsigned)(n * BLK_SECTOR);

		if (write)
			memcpy(virtio_bytes(slot), bytes, size);
		error = virtio_io(s->disk, slot, write ? VBLK_OUT : VBLK_IN,
				  sector, size);
		if (error == 0 && !write)
			memcpy(bytes, virtio_bytes(slot), size);
		sector += n;
		sectors -= n;
		bytes += size;
	}
	return error;
}

static long do_transfer(struct session *s, unsigned slot,
			const struct weir_msg *m)
{
	uint64_t sector = m->w[0], sectors = m->w[1], at = m->w[2];
	const struct blk_info *info = &s->disk->info;
	uint8_t *bytes = __atomic_load_n(&s->bytes, __ATOMIC_ACQUIRE);

	if (!bytes || sectors == 0 || sectors > s->size / BLK_SECTOR ||
	    at > s->size - sectors * BLK_SECTOR || sectors > info->sectors ||
	    sector > info->sectors - sectors)
		return -WEIR_EINVAL;
	if (m->label == BLK_WRITE && info->readonly)
		return -BLK_READONLY;
	return transfer(s, slot, sector, sectors, bytes + at,
			m->label == BLK_WRITE);
}

static long dispatch(struct session *s, unsigned slot, struct weir_msg *m,
		     handle_t *came)
{
	switch (m->label) {
	case BLK_MEMORY:
		return do_memory(s, came);
	case BLK_READ:
	case BLK_WRITE:
		return do_transfer(s, slot, m);
	case BLK_FLUSH:
		return virtio_io(s->disk, slot, VBLK_FLUSH, 0, 0);
	case BLK_CLOSE:
		s->closed = true;
		return 0;
	}
	return -WEIR_EINVAL;
}

static void serve(void *slot, struct weir_msg *m, handle_t *came)
{
	struct session *s;
	long error = -WEIR_EINVAL;

	if (m->badge == EVERYBODY) {
		if (m->label == BLK_INFO)
			error = do_info(m);
		else if (m->label == BLK_OPEN)
			error = do_open(m, came);
	} else {
		s = session_get(m->badge);
		error = s ? dispatch(s, (unsigned)(uintptr_t)slot, m, came)
			  : -WEIR_EPEER;
		if (s)
			session_put(s);
	}
	m->label = error < 0 ? (uint64_t)-error : 0;
}

static void serve_clients(void *slot)
{
	server_loop_of(serve, slot);
}

int main(void)
{
	long error = 0;

	if (!startup->extra[SERVER_EP] || !startup->ports[0] ||
	    !startup->ports[1]) {
		printf("only init starts the block server\n");
		return STATUS_USAGE;
	}
	pci_find();
	if (ndisks)
		error = virtio_start();
	if (error < 0) {
		klogf("the disks: %s", weir_strerror(error));
		ndisks = 0;
	}
	if (!ndisks)
		klogf("no disk");
	if (!mutex_make(&sessions_lock))
		return 1;
	swap_start();
	/* Without a disk there is nothing to wait for: one will do. */
	for (uintptr_t slot = 1; ndisks && slot < CLIENT_SLOTS;
	     slot++)
		uthread_start(serve_clients, (void *)slot, -1);
	serve_clients(0);
	return 1;
}
