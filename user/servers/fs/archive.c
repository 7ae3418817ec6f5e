/*
 * archive.c - the files of a tar archive as one paged object. See archive.h.
 *
 * Data: the layout, constant once it is served. The pager's thread uses
 * nothing else, and waits for nobody but who has the bytes.
 */
#include "user/servers/fs/archive.h"

#include <string.h>

#include "user/lib/server.h"

enum slot { SLOT_NTFN, SLOT_MEM, SLOT_TAKEN, SLOT_PAGER };
#define OWN_REFS 2 /* on the object: our handle, and the one that is kept */

static uint64_t pages_of(uint64_t bytes)
{
	return (bytes + WEIR_PAGE_SIZE - 1) / WEIR_PAGE_SIZE;
}

void archive_add(struct archive *a, uint64_t at, uint64_t size)
{
	if (a->nfiles == FS_NODES || size == 0)
		return;
	a->files[a->nfiles++] = (struct archived){ at, size, a->pager.npages };
	a->pager.npages += pages_of(size);
}

static long read_page(void *arg, uint64_t page, void *bytes)
{
	struct archive *a = arg;
	const struct archived *f = a->files;
	uint64_t skip, n;

	while (page >= f->page + pages_of(f->size))
		if (++f == a->files + a->nfiles)
			return -WEIR_EINVAL;
	skip = (page - f->page) * WEIR_PAGE_SIZE;
	n = f->size - skip < WEIR_PAGE_SIZE ? f->size - skip : WEIR_PAGE_SIZE;
	return a->read(a, f->at + skip, bytes, n);
}

static long write_page(void *arg, uint64_t page, const void *bytes)
{
	(void)arg, (void)page, (void)bytes;
	return -WEIR_EPERM; /* nobody has the right */
}

/* The pager's handle is kept last: where it is, all are. */
static long make(struct archive *a, handle_t *taken)
{
	long mem = sys_mem_create(1, 0), error;

	if (mem < 0)
		return mem;
	*taken = (handle_t)mem;
	error = upager_make(&a->pager);
	if (error == 0)
		error = keep_put(a->slot + SLOT_NTFN, a->pager.ntfn);
	if (error == 0)
		error = keep_put(a->slot + SLOT_MEM, a->pager.mem);
	if (error == 0)
		error = keep_put(a->slot + SLOT_TAKEN, *taken);
	if (error == 0)
		error = keep_put(a->slot + SLOT_PAGER, a->pager.pager);
	return error;
}

/* What an earlier server left; the layout must be that of its object. */
static long find(struct archive *a, handle_t *taken)
{
	struct weir_object_info info;
	long error;

	a->pager.ntfn = keep_get(a->slot + SLOT_NTFN);
	a->pager.mem = keep_get(a->slot + SLOT_MEM);
	*taken = keep_get(a->slot + SLOT_TAKEN);
	error = sys_object_info(a->pager.mem, &info, sizeof(info));
	if (error == 0 && info.mem.npages != a->pager.npages)
		error = -WEIR_EINVAL;
	return error;
}

long archive_serve(struct archive *a)
{
	handle_t taken;
	long va;

	if (!a->nfiles)
		return 0;
	a->pager.read = read_page;
	a->pager.write = write_page;
	a->pager.arg = a;
	a->pager.pager = keep_get(a->slot + SLOT_PAGER);
	va = a->pager.pager ? find(a, &taken) : make(a, &taken);
	if (va < 0)
		return va;
	va = sys_mem_map(startup->self, taken, 0, 0, 1,
			 WEIR_P_READ | WEIR_P_WRITE);
	sys_handle_close(taken);
	if (va < 0)
		return va;
	a->pager.taken = (struct weir_pager_request *)va;
	return upager_run(&a->pager);
}

long archive_open(struct archive *a, uint64_t at, uint64_t *page)
{
	for (unsigned i = 0; i < a->nfiles && a->pager.threads[0]; i++)
		if (a->files[i].at == at) {
			*page = a->files[i].page;
			return sys_handle_dup(a->pager.mem,
					      WEIR_R_READ | WEIR_R_DUP, 0);
		}
	return -WEIR_EHANDLE;
}

bool archive_used(struct archive *a)
{
	struct weir_object_info info;

	return a->pager.threads[0] &&
	       sys_object_info(a->pager.mem, &info, sizeof(info)) == 0 &&
	       info.mem.refs > OWN_REFS;
}

void archive_end(struct archive *a)
{
	if (a->pager.threads[0]) {
		upager_stop(&a->pager);
	} else if (a->pager.pager) { /* it was made in part */
		sys_handle_close(a->pager.pager);
		sys_handle_close(a->pager.mem);
		sys_handle_close(a->pager.ntfn);
	}
	if (a->pager.taken)
		pages_unmap(a->pager.taken, 1);
	for (unsigned i = ARCHIVE_SLOTS; i-- > 0;) /* the pager's first */
		keep_drop(a->slot + i);
	a->pager = (struct upager){ 0 };
	a->nfiles = 0;
}
