/*
 * mount.c - disks whose tar archive is a folder of the tree. See mount.h.
 *
 * A mount's session with the block server has memory for one chunk of the
 * disk, which is read for the sectors that are asked for next. It is used by
 * the server's thread until the archive is served, by the pager's from then
 * on. If the block server dies, what is read just then fails; the next read
 * opens the disk again.
 */
#include "user/servers/fs/mount.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "user/lib/blk.h"
#include "user/servers/fs/archive.h"

#define CHUNK_PAGES 4u
#define CHUNK_SECTORS (CHUNK_PAGES * BLK_PAGE_SECTORS)
#define LONG_PATH (FS_PATH_BYTES + TAR_NAME_MAX)

static struct mount {
	struct archive archive;
	char name[FS_NAME_BYTES]; /* of the disk */
	struct blk disk;
	uint64_t sectors;      /* that it had at first */
	uint64_t first, count; /* sectors in disk.bytes */
} mounts[FS_MOUNTS];

/* --- the disk ------------------------------------------------------------- */
static long open_disk(struct mount *m)
{
	long error;

	m->count = 0;
	error = blk_open(m->name, CHUNK_PAGES, &m->disk);
	if (error == 0 && m->sectors && m->disk.info.sectors != m->sectors) {
		blk_close(&m->disk);
		error = -WEIR_EIO; /* another one by this name */
	}
	if (error == 0)
		m->sectors = m->disk.info.sectors;
	return error;
}

/* Reads `count` sectors, or what there is of them, as the chunk. */
static long load(struct mount *m, uint64_t sector, uint64_t count)
{
	long error = m->disk.session ? 0 : open_disk(m);

	m->count = 0;
	if (error < 0)
		return error;
	if (count > m->sectors - sector)
		count = m->sectors - sector;
	error = blk_read(&m->disk, sector, count, 0);
	if (error == -WEIR_EPEER)
		blk_close(&m->disk);
	if (error < 0)
		return error;
	m->first = sector;
	m->count = count;
	return 0;
}

/* A tar_block_fn: the sector at that byte. Where a chunk cannot be read, the
 * sector alone may be. */
static const uint8_t *sector_at(void *arg, uint64_t at)
{
	struct mount *m = arg;
	uint64_t sector = at / BLK_SECTOR;
	long error = 0;

	if (sector >= m->sectors)
		return NULL;
	if (sector < m->first || sector - m->first >= m->count) {
		error = load(m, sector, CHUNK_SECTORS);
		if (error == -WEIR_EIO)
			error = load(m, sector, 1);
	}
	return error < 0 ? NULL
			 : m->disk.bytes + (sector - m->first) * BLK_SECTOR;
}

/* An archive's read. */
static long read_bytes(struct archive *a, uint64_t at, void *bytes,
		       uint64_t n)
{
	struct mount *m = (struct mount *)((char *)a -
					   offsetof(struct mount, archive));
	const uint8_t *from;
	uint64_t piece;

	for (uint64_t done = 0; done < n; done += piece) {
		from = sector_at(m, at + done);
		if (!from)
			return -WEIR_EIO;
		piece = n - done < BLK_SECTOR ? n - done : BLK_SECTOR;
		memcpy((char *)bytes + done, from, piece);
	}
	return 0;
}

/* --- the tree ------------------------------------------------------------- */

/* Adds a node; a folder may be there already. */
static long add_node(struct tree *t, const char *path, bool folder)
{
	int i = tree_find(t, path), parent;
	const char *name;
	size_t length;

	if (i >= 0)
		return folder && t->node[i].folder ? i : -FS_EXISTS;
	parent = tree_parent(t, path, &name, &length);
	return parent < 0 ? parent
			  : tree_add(t, parent, name, length, folder);
}

long add_entry(struct tree *t, const char *path, const struct tar_file *file)
{
	char above[LONG_PATH];
	long i = 0;

	snprintf(above, sizeof(above), "%s", path);
	for (char *slash = above + 1; (slash = strchr(slash, '/'));
	     *slash++ = '/') {
		*slash = '\0';
		i = add_node(t, above, true);
		if (i < 0)
			return i;
	}
	if (!*path || path[strlen(path) - 1] == '/')
		return 0;
	i = add_node(t, path, file->folder);
	if (i < 0 || file->folder)
		return i < 0 ? i : 0;
	t->node[i].size = file->size;
	t->node[i].archived = file->at + 1;
	return 0;
}

/* Reads the headers: the layout, and with `path` also the names. NULL, or
 * what is wrong with the archive. */
static const char *scan(struct mount *m, struct tree *t, const char *path)
{
	char full[LONG_PATH], odd[TAR_NAME_MAX] = "";
	unsigned entries = 0, left_out = 0;
	struct tar_file file;
	struct tar tar;
	long error = 0;

	tar_open_blocks(&tar, sector_at, m,
			m->disk.info.sectors * BLK_SECTOR);
	for (; tar_next(&tar, &file); entries++) {
		if (!file.regular && !file.folder)
			continue;
		snprintf(full, sizeof(full), "%s/%s", path ? path : "",
			 file.name);
		error = path ? add_entry(t, full, &file) : 0;
		if (error == -FS_FULL)
			return "there are too many files in it";
		if (error < 0 && !left_out++)
			memcpy(odd, file.name, sizeof(odd));
		if (file.regular)
			archive_add(&m->archive, file.at, file.size);
	}
	if (left_out)
		klogf("%s: %u entries left out, the first is %.100s",
		      m->name, left_out, odd);
	if (!entries && (!tar.error || strstr(tar.error, "header")))
		return "it is not a tar archive";
	return tar.error;
}

static void forget(struct mount *m)
{
	unsigned slot = m->archive.slot;

	archive_end(&m->archive);
	blk_close(&m->disk);
	m->archive.slot = slot;
	m->sectors = m->count = 0;
}

static void prepare(struct mount *m, const char *disk, unsigned slot)
{
	snprintf(m->name, sizeof(m->name), "%s", disk);
	m->archive.read = read_bytes;
	m->archive.slot = slot + (unsigned)(m - mounts) * ARCHIVE_SLOTS;
}

/* --- requests ------------------------------------------------------------- */
static long fill(struct tree *t, struct mount *m, const char *path,
		 const char **why)
{
	long error = open_disk(m);

	if (error < 0) {
		*why = blk_strerror(error);
		return -FS_ARCHIVE;
	}
	*why = scan(m, t, path);
	return *why ? -FS_ARCHIVE : archive_serve(&m->archive);
}

long mount_make(struct tree *t, const char *path, const char *disk,
		unsigned slot, const char **why)
{
	unsigned k = 0;
	long i, error;

	if (tree_find(t, path) >= 0)
		return -FS_EXISTS;
	while (k < FS_MOUNTS && t->mount[k].node)
		k++;
	if (k == FS_MOUNTS || strlen(disk) >= FS_NAME_BYTES) {
		*why = k == FS_MOUNTS ? "there are too many mounts"
				      : blk_strerror(BLK_NONE);
		return -FS_ARCHIVE;
	}
	i = add_node(t, path, true);
	if (i < 0)
		return i;
	if (t->node[i].mount) { /* of the folder above */
		tree_remove(t, (int)i);
		return -FS_READONLY;
	}
	t->node[i].mount = (uint8_t)(k + 1);
	t->mount[k].node = (uint16_t)i;
	memcpy(t->mount[k].disk, disk, strlen(disk) + 1);
	prepare(&mounts[k], disk, slot);
	error = fill(t, &mounts[k], path, why);
	t->mount[k].filled = error == 0;
	if (error < 0) {
		forget(&mounts[k]);
		tree_unmount(t, k + 1);
	}
	return error;
}

long mount_end(struct tree *t, const char *path)
{
	int i = tree_find(t, path);
	unsigned k = i < 0 ? 0 : t->node[i].mount;

	if (i < 0)
		return i;
	if (!k || t->mount[k - 1].node != i)
		return -FS_NOMOUNT;
	if (archive_used(&mounts[k - 1].archive))
		return -WEIR_EBUSY;
	forget(&mounts[k - 1]);
	tree_unmount(t, k);
	return 0;
}

void mount_all_again(struct tree *t, unsigned slot)
{
	for (unsigned k = 0; k < FS_MOUNTS; k++) {
		struct mount *m = &mounts[k];
		const char *why = NULL;

		if (!t->mount[k].node)
			continue;
		prepare(m, t->mount[k].disk, slot);
		if (t->mount[k].filled && fill(t, m, NULL, &why) == 0)
			continue;
		if (t->mount[k].filled) /* else who asked asks again */
			klogf("the mount of %s is lost: %s", m->name,
			      why ? why : "its archive has changed");
		forget(m);
		tree_unmount(t, k + 1);
	}
}

long mount_open(const struct node *n, uint64_t *page)
{
	return archive_open(&mounts[n->mount - 1].archive, n->archived - 1,
			    page);
}
