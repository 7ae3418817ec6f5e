/*
 * fs - the file server: a writable tree in memory (user/lib/fs.h).
 *
 * The tree (fs/tree.h) is kept by init, and so is each file's object, in the
 * slot of its node: nothing is lost when this server crashes. One thread
 * serves requests; another is the pager of the initrd's files
 * (fs/archive.h), which is shared by all who read them, and costs no swap.
 * A disk's tar archive is mounted in the same way (fs/mount.h).
 * A file that is written is an anonymous object and no paged one, for fs
 * would keep its dirty pages in anonymous memory, too: each would be copied
 * twice on its way to the same swap device, need a frame to give one up, and
 * be lost with fs. An object has room for the largest file; pages that
 * nobody touched cost nothing. Order of a change: contents, then the keeper,
 * then the tree.
 */
#include <string.h>

#include "user/lib/server.h"
#include "user/lib/tar.h"
#include "user/servers/fs/archive.h"
#include "user/servers/fs/mount.h"
#include "user/servers/fs/tree.h"

#define STATE_PAGES 20
#define SPARE_PAGES 256u /* that files leave to programs */
#define INITRD_SLOT FS_OWN_NODES /* of the keeper, behind the objects' */
#define MOUNT_SLOT (INITRD_SLOT + ARCHIVE_SLOTS)
#define READ_WRITE (WEIR_P_READ | WEIR_P_WRITE)
_Static_assert(sizeof(struct tree) <= STATE_PAGES * WEIR_PAGE_SIZE,
	       "does not fit");

static struct tree *tree;
static handle_t objects[FS_OWN_NODES]; /* ours; 0: there is none */
static const uint8_t *archive;
static struct archive initrd = { .slot = INITRD_SLOT };

static struct node *node_of(int i)
{
	return &tree->node[i];
}

/* --- contents ------------------------------------------------------------- */

/* Copies between bytes [at, at + n) of an object and `bytes`. */
static long transfer(handle_t mem, uint64_t at, void *bytes, size_t n,
		     bool in)
{
	uint64_t first = at / WEIR_PAGE_SIZE, skip = at % WEIR_PAGE_SIZE;
	uint64_t pages = (skip + n + WEIR_PAGE_SIZE - 1) / WEIR_PAGE_SIZE;
	long va;

	if (n == 0)
		return 0;
	va = sys_mem_map(startup->self, mem, first, 0, pages,
			 in ? READ_WRITE : WEIR_P_READ);
	if (va < 0)
		return va;
	if (in)
		memcpy((char *)va + skip, bytes, n);
	else
		memcpy(bytes, (char *)va + skip, n);
	pages_unmap((void *)va, pages);
	return 0;
}

/* Is there memory for that many pages more? Else the client gets an error;
 * without this the fault that ends whoever touches the last page would end
 * this server. */
static bool room_for(uint64_t pages)
{
	struct weir_system s;

	system_read(&s);
	return s.frames_free + s.swap_free >
	       pages + SPARE_PAGES + s.frames_reserve;
}

/* Gives the node another object (0: none) with `size` bytes in it. */
static long set_object(int i, handle_t mem, uint64_t size)
{
	struct node *n = node_of(i);
	handle_t old = objects[i];
	long error = mem ? keep_put((unsigned)i, mem) : 0;

	if (error < 0)
		return error;
	objects[i] = mem;
	n->size = size;
	n->archived = 0;
	n->has_object = mem != 0;
	if (!mem && old)
		keep_drop((unsigned)i);
	if (old)
		sys_handle_close(old);
	return 0;
}

/* Makes a fresh object with these bytes the node's. */
static long fill(int i, const void *bytes, uint64_t size)
{
	long mem, error;

	if (!room_for(size / WEIR_PAGE_SIZE + 2))
		return -WEIR_ENOMEM;
	mem = sys_mem_create(FS_FILE_PAGES, 0);
	if (mem < 0)
		return mem;
	error = transfer((handle_t)mem, 0, (void *)bytes, size, true);
	if (error == 0)
		error = set_object(i, (handle_t)mem, size);
	if (error < 0)
		sys_handle_close((handle_t)mem);
	return error;
}

/* The node has an object of its own from here on. */
static long materialize(int i)
{
	struct node *n = node_of(i);

	if (objects[i])
		return 0;
	return n->archived ? fill(i, archive + n->archived - 1, n->size)
			   : fill(i, "", 0);
}

static long shrink(int i, uint64_t size)
{
	void *old;
	uint64_t pages = (size + WEIR_PAGE_SIZE - 1) / WEIR_PAGE_SIZE;
	long error = size ? materialize(i) : 0, va;

	if (error < 0 || size == 0)
		return error < 0 ? error : set_object(i, 0, 0);
	va = sys_mem_map(startup->self, objects[i], 0, 0, pages, WEIR_P_READ);
	if (va < 0)
		return va;
	old = (void *)va;
	error = fill(i, old, size);
	pages_unmap(old, pages);
	return error;
}

static void forget(int i)
{
	set_object(i, 0, 0);
	tree_remove(tree, i);
}

/* --- requests ------------------------------------------------------------- */

/* The object that the file is in, for who only reads; w[2]: where. A file of
 * the initrd is copied only if there is no pager. */
static long give_object(int i, struct weir_msg *m)
{
	struct node *n = node_of(i);
	long h = n->mount ? mount_open(n, &m->w[2]) :
		 n->archived ? archive_open(&initrd, n->archived - 1, &m->w[2])
			     : -WEIR_EHANDLE;

	if (h < 0 && !n->mount) {
		h = materialize(i);
		m->w[2] = 0;
		if (h == 0)
			h = sys_handle_dup(objects[i],
					   WEIR_R_READ | WEIR_R_DUP, 0);
	}
	m->handle = h < 0 ? 0 : (handle_t)h;
	return h < 0 ? h : 0;
}

static long do_open(const char *path, struct weir_msg *m)
{
	unsigned flags = (unsigned)m->w[0];
	const char *name;
	size_t length;
	int i = tree_find(tree, path), folder;
	long error = 0;

	if (i == -FS_NONE && flags & FS_CREATE) {
		folder = tree_parent(tree, path, &name, &length);
		if (folder < 0)
			return folder;
		if (path[strlen(path) - 1] == '/')
			return -FS_ISDIR;
		if (node_of(folder)->mount)
			return -FS_READONLY;
		i = tree_add(tree, folder, name, length, false);
	}
	if (i < 0)
		return i;
	if (node_of(i)->folder)
		return -FS_ISDIR;
	if (node_of(i)->mount && flags & (FS_CREATE | FS_EMPTY))
		return -FS_READONLY;
	if (flags & FS_EMPTY)
		error = set_object(i, 0, 0);
	else if (node_of(i)->size && !(flags & FS_NO_HANDLE))
		error = give_object(i, m);
	m->w[0] = node_of(i)->size;
	m->w[1] = tree_id(tree, i);
	return error;
}

static long do_write(const void *bytes, struct weir_msg *m, bool append)
{
	int i = tree_by_id(tree, m->w[0]);
	uint64_t n = m->w[1], at = m->w[2];
	struct node *node;
	long error;

	if (i < 0)
		return i;
	node = node_of(i);
	if (node->mount)
		return -FS_READONLY;
	if (append) {
		at = m->w[3] && m->w[3] == tree->append ? tree->append_at
							: node->size;
		tree->append_at = at;
		tree->append = m->w[3];
	}
	if (n > FS_DATA_BYTES)
		return -WEIR_EINVAL;
	if (at > FS_FILE_PAGES * WEIR_PAGE_SIZE - n)
		return -FS_BIG;
	error = room_for(2) ? materialize(i) : -WEIR_ENOMEM;
	if (error == 0)
		error = transfer(objects[i], at, (void *)bytes, n, true);
	if (error < 0)
		return error;
	if (at + n > node->size)
		node->size = at + n;
	m->w[0] = node->size;
	return 0;
}

static long do_truncate(struct weir_msg *m)
{
	int i = tree_by_id(tree, m->w[0]);

	if (i < 0)
		return i;
	if (node_of(i)->mount)
		return -FS_READONLY;
	if (m->w[1] > node_of(i)->size)
		return -WEIR_EINVAL;
	return shrink(i, m->w[1]);
}

static long do_mkdir(const char *path)
{
	const char *name;
	size_t length;
	int i = tree_find(tree, path), folder;

	if (i >= 0)
		return -FS_EXISTS;
	folder = tree_parent(tree, path, &name, &length);
	if (folder < 0)
		return folder;
	if (node_of(folder)->mount)
		return -FS_READONLY;
	i = tree_add(tree, folder, name, length, true);
	return i < 0 ? i : 0;
}

static long do_remove(const char *path)
{
	int i = tree_find(tree, path);
	int error = i < 0 ? i
		    : node_of(i)->mount ? -FS_READONLY
		    : tree_check_remove(tree, i);

	if (error == 0)
		forget(i);
	return error;
}

static long do_rename(const char *path, const char *to)
{
	const char *name;
	size_t length;
	int i = tree_find(tree, path), folder, error, over;

	if (i < 0)
		return i;
	folder = tree_parent(tree, to, &name, &length);
	if (folder < 0)
		return folder;
	if (node_of(i)->mount || node_of(folder)->mount)
		return -FS_READONLY;
	error = tree_check_rename(tree, i, folder, name, length, &over);
	if (error < 0)
		return error;
	if (over >= 0 && node_of(over)->mount)
		return -FS_READONLY;
	if (over >= 0)
		forget(over);
	tree_rename(tree, i, folder, name, length);
	return 0;
}

static long do_stat(const char *path, struct weir_msg *m)
{
	int i = tree_find(tree, path);

	if (i < 0)
		return i;
	m->w[0] = node_of(i)->size;
	m->w[1] = node_of(i)->folder;
	return 0;
}

static long do_list(char *path, struct weir_msg *m)
{
	int folder = tree_find(tree, path);
	uint64_t i = m->w[0] ? m->w[0] : 1;

	if (folder < 0)
		return folder;
	if (!node_of(folder)->folder)
		return -FS_NOTDIR;
	while (i < FS_NODES && (!node_of((int)i)->used ||
				node_of((int)i)->parent != folder))
		i++;
	if (i >= FS_NODES)
		return -FS_NONE;
	m->w[0] = i + 1;
	m->w[1] = node_of((int)i)->size;
	m->w[2] = node_of((int)i)->folder;
	memcpy(path, node_of((int)i)->name, FS_NAME_BYTES);
	return 0;
}

static long do_mount(const char *path, const char *disk, char *text)
{
	const char *why = "";
	long error = mount_make(tree, path, disk, MOUNT_SLOT, &why);

	if (error == -FS_ARCHIVE)
		strcpy(text, why);
	return error;
}

static long dispatch(union fs_page *page, struct weir_msg *m)
{
	char path[FS_PATH_BYTES], to[FS_PATH_BYTES];
	long error;

	if (m->label == FS_APPEND || m->label == FS_WRITE)
		return do_write(page->bytes, m, m->label == FS_APPEND);
	if (m->label == FS_TRUNCATE)
		return do_truncate(m);
	/* A copy: the client may change its page at any time. */
	memcpy(path, page->path, sizeof(path));
	memcpy(to, page->to, sizeof(to));
	path[sizeof(path) - 1] = to[sizeof(to) - 1] = '\0';
	switch (m->label) {
	case FS_OPEN:
		return do_open(path, m);
	case FS_MKDIR:
		return do_mkdir(path);
	case FS_REMOVE:
		return do_remove(path);
	case FS_RENAME:
		return do_rename(path, to);
	case FS_STAT:
		return do_stat(path, m);
	case FS_MOUNT:
		return do_mount(path, to, page->path);
	case FS_UMOUNT:
		return mount_end(tree, path);
	case FS_LIST:
		error = do_list(path, m);
		if (error == 0)
			memcpy(page->path, path, FS_NAME_BYTES);
		return error;
	}
	return -WEIR_EINVAL;
}

static void serve(struct weir_msg *m, handle_t *came)
{
	long va, error;

	va = *came ? sys_mem_map(startup->self, *came, 0, 0, 1, READ_WRITE)
		   : -WEIR_EINVAL;
	error = va;
	if (va > 0) {
		error = dispatch((union fs_page *)va, m);
		pages_unmap((void *)va, 1);
	}
	m->label = error < 0 ? (uint64_t)-error : 0;
}

/* --- the start ------------------------------------------------------------ */

static long read_initrd(struct archive *a, uint64_t at, void *bytes,
			uint64_t n)
{
	(void)a;
	memcpy(bytes, archive + at, n);
	return 0;
}

static void read_archive(bool add)
{
	uint64_t pages = (startup->initrd_size + WEIR_PAGE_SIZE - 1) /
			 WEIR_PAGE_SIZE;
	struct tar_file file;
	struct tar tar;
	long va;

	va = startup->initrd
		     ? sys_mem_map(startup->self, startup->initrd, 0, 0,
				   pages, WEIR_P_READ)
		     : -WEIR_EHANDLE;
	if (va < 0) {
		klogf("the initrd: %s", weir_strerror(va));
		return;
	}
	archive = (const uint8_t *)va;
	tar_open(&tar, archive, startup->initrd_size);
	while (tar_next(&tar, &file)) {
		long error = file.regular && add
				     ? add_entry(tree, file.name, &file) : 0;

		if (error < 0)
			klogf("%s: %s", file.name, fs_strerror(error));
		if (file.regular)
			archive_add(&initrd, file.at, file.size);
	}
	initrd.read = read_initrd;
	va = archive_serve(&initrd);
	if (va < 0)
		klogf("no pager: %s; files are copied", weir_strerror(va));
}

int main(void)
{
	if (!startup->extra[SERVER_EP]) {
		printf("only init starts the file server\n");
		return STATUS_USAGE;
	}
	tree = server_state(STATE_PAGES);
	if (!tree)
		return 1;
	if (!tree->filled) /* also if its first server died over that */
		tree->magic = 0;
	tree_init(tree);
	for (unsigned i = 0; i < FS_OWN_NODES; i++)
		if (tree->node[i].has_object)
			objects[i] = keep_get(i);
		else
			keep_drop(i);
	read_archive(!tree->filled);
	tree->filled = true;
	mount_all_again(tree, MOUNT_SLOT);
	return server_loop(serve);
}
