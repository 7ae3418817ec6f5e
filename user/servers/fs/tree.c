/*
 * tree.c - the file server's tree. See tree.h.
 */
#include "user/servers/fs/tree.h"

#include <string.h>

#define MAGIC 0x5765697246533032ull

void tree_init(struct tree *t)
{
	if (t->magic == MAGIC)
		return;
	memset(t, 0, sizeof(*t));
	t->node[0].used = t->node[0].folder = true;
	t->magic = MAGIC;
}

/* The next name of *path; moves *path behind it. 0: there is none, else its
 * length; -FS_NAME. */
static int next_name(const char **path, const char **name)
{
	size_t n;

	while (**path == '/')
		++*path;
	*name = *path;
	n = strcspn(*path, "/");
	*path += n;
	if (n >= FS_NAME_BYTES || (n == 1 && **name == '.') ||
	    (n == 2 && memcmp(*name, "..", 2) == 0))
		return -FS_NAME;
	return (int)n;
}

int tree_child(struct tree *t, int folder, const char *name, size_t length)
{
	for (int i = 1; i < (int)FS_NODES; i++) {
		const struct node *n = &t->node[i];

		if (n->used && n->parent == folder &&
		    strlen(n->name) == length &&
		    memcmp(n->name, name, length) == 0)
			return i;
	}
	return -FS_NONE;
}

int tree_find(struct tree *t, const char *path)
{
	const char *name;
	int at = 0, n;

	while ((n = next_name(&path, &name)) > 0) {
		if (!t->node[at].folder)
			return -FS_NOTDIR;
		at = tree_child(t, at, name, (size_t)n);
		if (at < 0)
			return at;
	}
	if (n == 0 && !t->node[at].folder && path[-1] == '/')
		return -FS_NOTDIR;
	return n < 0 ? n : at;
}

int tree_parent(struct tree *t, const char *path, const char **name,
		size_t *length)
{
	const char *next;
	int at = 0, n = next_name(&path, name), after;

	if (n == 0)
		return -FS_ROOT;
	for (; n > 0; n = after, *name = next) {
		if (!t->node[at].folder)
			return -FS_NOTDIR;
		*length = (size_t)n;
		after = next_name(&path, &next);
		if (after == 0)
			return at;
		at = tree_child(t, at, *name, (size_t)n);
		if (at < 0)
			return at;
	}
	return n;
}

int tree_add(struct tree *t, int folder, const char *name, size_t length,
	     bool is_folder)
{
	unsigned mount = t->node[folder].mount;
	int end = mount ? (int)FS_NODES : (int)FS_OWN_NODES;

	for (int i = mount ? (int)FS_OWN_NODES : 1; i < end; i++) {
		struct node *n = &t->node[i];

		if (n->used)
			continue;
		*n = (struct node){ .folder = is_folder,
				    .mount = (uint8_t)mount,
				    .parent = (uint16_t)folder,
				    .generation = n->generation + 1 };
		memcpy(n->name, name, length);
		n->used = true;
		return i;
	}
	return -FS_FULL;
}

int tree_check_remove(struct tree *t, int node)
{
	if (node == 0)
		return -FS_ROOT;
	for (int i = 1; i < (int)FS_NODES; i++)
		if (t->node[i].used && t->node[i].parent == node)
			return -FS_NOTEMPTY;
	return 0;
}

void tree_remove(struct tree *t, int node)
{
	t->node[node].used = false;
}

int tree_check_rename(struct tree *t, int node, int folder, const char *name,
		      size_t length, int *over)
{
	*over = -1;
	if (node == 0)
		return -FS_ROOT;
	for (int at = folder; at != 0; at = t->node[at].parent)
		if (at == node)
			return -FS_INTO;
	*over = tree_child(t, folder, name, length);
	if (*over < 0 || *over == node) {
		*over = -1;
		return 0;
	}
	if (t->node[*over].folder)
		return t->node[node].folder ? -FS_EXISTS : -FS_ISDIR;
	return t->node[node].folder ? -FS_NOTDIR : 0;
}

void tree_rename(struct tree *t, int node, int folder, const char *name,
		 size_t length)
{
	struct node *n = &t->node[node];

	n->parent = (uint16_t)folder;
	memset(n->name, 0, sizeof(n->name));
	memcpy(n->name, name, length);
}

void tree_unmount(struct tree *t, unsigned mount)
{
	for (int i = 1; i < (int)FS_NODES; i++)
		if (t->node[i].used && t->node[i].mount == mount)
			tree_remove(t, i);
	t->mount[mount - 1] = (struct mount_point){ 0 };
}

uint64_t tree_id(const struct tree *t, int node)
{
	return (uint64_t)t->node[node].generation << 16 | (unsigned)node;
}

int tree_by_id(struct tree *t, uint64_t id)
{
	unsigned node = id & 0xffff;

	if (node == 0 || node >= FS_NODES || !t->node[node].used ||
	    t->node[node].folder || t->node[node].generation != id >> 16)
		return -FS_STALE;
	return (int)node;
}
