/*
 * tree.h - the file server's tree: names, folders, sizes; no contents.
 *
 * Pure: no system calls. Node 0 is the root. A file is named by index and
 * generation, so that who writes to one that was removed is told.
 */
#pragma once

#include "user/lib/fs.h"

struct node {
	bool used, folder;
	bool has_object;     /* its slot of the keeper is filled */
	uint8_t mount;       /* it is of that mount, or where it is; 0: none.
			      * Nothing about it changes */
	uint16_t parent;
	uint32_t generation; /* counts what was in this place */
	uint64_t size;       /* bytes */
	uint64_t archived;   /* where its bytes are in the archive of its
			      * mount, or the initrd, + 1; 0: its object */
	char name[FS_NAME_BYTES];
};

/* Mount k is in mount[k - 1]. */
struct mount_point {
	uint16_t node; /* the folder where it is; 0: free */
	bool filled;   /* all its files are there */
	char disk[FS_NAME_BYTES];
};

struct tree {
	uint64_t magic;
	bool filled; /* the initrd's files are in it */
	uint64_t append, append_at; /* the last one: its number, its place */
	struct mount_point mount[FS_MOUNTS];
	struct node node[FS_NODES];
};

void tree_init(struct tree *t);
/* The node of a path; -enum fs_error. */
int tree_find(struct tree *t, const char *path);
/* The folder that `path` would be in, and its last name in *name (in the
 * path). -enum fs_error. */
int tree_parent(struct tree *t, const char *path, const char **name,
		size_t *length);
/* The entry of that name in a folder; -FS_NONE. */
int tree_child(struct tree *t, int folder, const char *name, size_t length);
/* A new, empty node, of the mount that the folder is of; -FS_FULL. Mounts
 * have places of their own, from FS_OWN_NODES on. */
int tree_add(struct tree *t, int folder, const char *name, size_t length,
	     bool is_folder);
/* A file, or an empty folder; -enum fs_error. */
int tree_check_remove(struct tree *t, int node);
void tree_remove(struct tree *t, int node);
/* May `node` become `name` in `folder`? *over: the file that it replaces, or
 * -1. 0 or -enum fs_error. */
int tree_check_rename(struct tree *t, int node, int folder, const char *name,
		      size_t length, int *over);
void tree_rename(struct tree *t, int node, int folder, const char *name,
		 size_t length);

/* Removes all that is of a mount, where it is included. */
void tree_unmount(struct tree *t, unsigned mount);

uint64_t tree_id(const struct tree *t, int node);
int tree_by_id(struct tree *t, uint64_t id); /* a file; -FS_STALE */
