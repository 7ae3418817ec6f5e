/*
 * mount.h - disks whose tar archive is a folder of the tree.
 *
 * The names and sizes are read when it is mounted, the bytes when somebody
 * touches them, by the pager of an archive (archive.h). Neither is changed.
 * After a crash of this server the headers are read again; a mount whose
 * disk has another archive by then is dropped.
 */
#pragma once

#include "user/lib/tar.h"
#include "user/servers/fs/tree.h"

/* Adds what an archive says there is: a file, or a folder, and the folders
 * above it. 0 or -enum fs_error. */
long add_entry(struct tree *t, const char *path, const struct tar_file *file);

/* Mounts `disk` as `path`, which must be free. 0, -enum fs_error, an error of
 * the disk; with FS_ARCHIVE, *why is a sentence. `slot`: the keeper's first
 * for mounts. */
long mount_make(struct tree *t, const char *path, const char *disk,
		unsigned slot, const char **why);
/* Ends one. -FS_NOMOUNT, -WEIR_EBUSY: somebody has a file of it open. */
long mount_end(struct tree *t, const char *path);
/* After the start of this server: those that there are in the tree. */
void mount_all_again(struct tree *t, unsigned slot);

/* As archive_open, of the file's mount. */
long mount_open(const struct node *n, uint64_t *page);
