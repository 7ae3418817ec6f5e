/*
 * archive.c - the initrd's files as one paged object. See archive.h.
 *
 * Data: the layout, constant once it is served. The pager's thread uses
 * nothing else, and waits for nobody.
 */
#include "user/servers/fs/archive.h"

#include <string.h>

#include "user/lib/fs.h"
#include "user/lib/pager.h"
#include "user/lib/server.h"

enum slot { SLOT_NTFN, SLOT_MEM, SLOT_TAKEN, SLOT_PAGER };

static struct file {
	uint64_t at, size; /* in the archive */
	uint64_t page;     /* in the object */
} files[FS_NODES];
static unsigned nfiles;
static const uint8_t *archive;
static struct upager pager;

static uint64_t pages_of(uint64_t bytes)
{
	return (bytes + WEIR_PAGE_SIZE - 1) / WEIR_PAGE_SIZE;
}

void archive_add(uint64_t at, uint64_t size)
{
	if (nfiles == FS_NODES || size == 0)
		return;
	files[nfiles++] = (struct file){ at, size, pager.npages };
	pager.npages += pages_of(size);
}

static long read_page(void *arg, uint64_t page, void *bytes)
{
	const struct file *f = files;
	uint64_t skip, n;

	(void)arg;
	while (page >= f->page + pages_of(f->size))
		if (++f == files + nfiles)
			return -WEIR_EINVAL;
	skip = (page - f->page) * WEIR_PAGE_SIZE;
	n = f->size - skip < WEIR_PAGE_SIZE ? f->size - skip : WEIR_PAGE_SIZE;
	memcpy(bytes, archive + f->at + skip, n);
	return 0;
}

static long write_page(void *arg, uint64_t page, const void *bytes)
{
	(void)arg, (void)page, (void)bytes;
	return -WEIR_EPERM; /* nobody has the right */
}

/* The pager's handle is kept last: where it is, all are. */
static long make(unsigned slot, handle_t *taken)
{
	long mem = sys_mem_create(1, 0), error;

	if (mem < 0)
		return mem;
	*taken = (handle_t)mem;
	error = upager_make(&pager);
	if (error == 0)
		error = keep_put(slot + SLOT_NTFN, pager.ntfn);
	if (error == 0)
		error = keep_put(slot + SLOT_MEM, pager.mem);
	if (error == 0)
		error = keep_put(slot + SLOT_TAKEN, *taken);
	if (error == 0)
		error = keep_put(slot + SLOT_PAGER, pager.pager);
	return error;
}

long archive_serve(const uint8_t *bytes, unsigned slot)
{
	handle_t taken;
	long va;

	if (!nfiles)
		return 0;
	archive = bytes;
	pager.read = read_page;
	pager.write = write_page;
	pager.pager = keep_get(slot + SLOT_PAGER);
	if (pager.pager) {
		pager.ntfn = keep_get(slot + SLOT_NTFN);
		pager.mem = keep_get(slot + SLOT_MEM);
		taken = keep_get(slot + SLOT_TAKEN);
	} else {
		va = make(slot, &taken);
		if (va < 0)
			return va;
	}
	va = sys_mem_map(startup->self, taken, 0, 0, 1,
			 WEIR_P_READ | WEIR_P_WRITE);
	if (va < 0)
		return va;
	pager.taken = (struct weir_pager_request *)va;
	return upager_run(&pager);
}

long archive_open(uint64_t at, uint64_t *page)
{
	for (unsigned i = 0; i < nfiles && pager.threads[0]; i++)
		if (files[i].at == at) {
			*page = files[i].page;
			return sys_handle_dup(pager.mem,
					      WEIR_R_READ | WEIR_R_DUP, 0);
		}
	return -WEIR_EHANDLE;
}
