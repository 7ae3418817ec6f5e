/*
 * blk.c - the client of the block server.
 */
#include "user/lib/blk.h"

#include <string.h>

#include "user/lib/names.h"

const char *blk_strerror(long error)
{
	if (error == -BLK_NONE || error == BLK_NONE)
		return "no such disk";
	if (error == -BLK_READONLY || error == BLK_READONLY)
		return "the disk can only be read";
	return weir_strerror(error);
}

static void unpack(const struct weir_msg *m, struct blk_info *info)
{
	info->sectors = m->w[0];
	info->readonly = m->w[1];
	memcpy(info->serial, &m->w[2], BLK_SERIAL_BYTES);
	info->serial[BLK_SERIAL_BYTES - 1] = '\0';
}

long blk_info(uint64_t index, struct blk_info *info)
{
	struct weir_msg m = { .label = BLK_INFO, .w = { index } };
	long ep = names_lookup("blk"), error;

	if (ep < 0)
		return ep == -WEIR_ENOSYS ? -BLK_NONE : ep;
	error = server_call((handle_t)ep, &m, 0, 0);
	sys_handle_close((handle_t)ep);
	if (error == 0)
		unpack(&m, info);
	return error;
}

/* The disk of that name. */
static long find(const char *name, uint64_t *index)
{
	uint64_t number = 0;
	struct blk_info info;
	const char *at;
	long error;

	for (*index = 0; (error = blk_info(*index, &info)) == 0; ++*index)
		if (name[0] && strcmp(info.serial, name) == 0)
			return 0;
	if (error != -BLK_NONE)
		return error;
	for (at = name; *at >= '0' && *at <= '9' && number < *index; at++)
		number = number * 10 + (uint64_t)(*at - '0');
	if (at == name || *at || number >= *index)
		return -BLK_NONE;
	*index = number;
	return 0;
}

/* Memory for the session, and that the server knows it. */
static long share(struct blk *disk, uint64_t pages)
{
	struct weir_msg m = { .label = BLK_MEMORY };
	handle_t mem;
	long error;

	disk->bytes = pages_map(pages, &mem);
	disk->pages = pages;
	if (!disk->bytes)
		return -WEIR_ENOMEM;
	error = server_call(disk->session, &m, mem, WEIR_R_READ | WEIR_R_WRITE);
	sys_handle_close(mem);
	return error;
}

long blk_open(const char *name, uint64_t pages, struct blk *disk)
{
	struct weir_msg m = { .label = BLK_OPEN };
	long ep, error = find(name, &m.w[0]);

	*disk = (struct blk){ 0 };
	if (error < 0)
		return error;
	ep = names_lookup("blk");
	if (ep < 0)
		return ep;
	error = server_call((handle_t)ep, &m, startup->self, 0);
	sys_handle_close((handle_t)ep);
	if (error < 0)
		return error;
	disk->session = m.handle;
	unpack(&m, &disk->info);
	error = share(disk, pages);
	if (error < 0)
		blk_close(disk);
	return error;
}

static long transfer(struct blk *disk, enum blk_request label,
		     uint64_t sector, uint64_t sectors, uint64_t at)
{
	struct weir_msg m = { .label = label, .w = { sector, sectors, at } };
	long error = sys_ipc_call(disk->session, &m);

	return error < 0 ? error : -(long)m.label;
}

long blk_read(struct blk *disk, uint64_t sector, uint64_t sectors,
	      uint64_t at)
{
	return transfer(disk, BLK_READ, sector, sectors, at);
}

long blk_write(struct blk *disk, uint64_t sector, uint64_t sectors,
	       uint64_t at)
{
	return transfer(disk, BLK_WRITE, sector, sectors, at);
}

long blk_flush(struct blk *disk)
{
	return transfer(disk, BLK_FLUSH, 0, 0, 0);
}

void blk_close(struct blk *disk)
{
	if (disk->session) {
		transfer(disk, BLK_CLOSE, 0, 0, 0);
		sys_handle_close(disk->session);
	}
	if (disk->bytes)
		pages_unmap(disk->bytes, disk->pages);
	*disk = (struct blk){ 0 };
}
