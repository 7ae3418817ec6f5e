/*
 * archive.h - the files of a tar archive as one paged object.
 *
 * The object holds the archive's files in their order, each from the start of
 * a page, with zeros behind its end. Its pages are read from the archive when
 * somebody touches them; clean as they are, reclaim just drops them. Nobody
 * can write to it. The pager outlives this server: init keeps its handles in
 * four slots, and the page that notes the request in hand; the layout is that
 * of the archive, so each incarnation can serve the mappings that were made
 * of an earlier one. A reader waits meanwhile, until the pager's deadline.
 */
#pragma once

#include "user/lib/fs.h"
#include "user/lib/pager.h"

#define ARCHIVE_SLOTS 4u /* of the keeper */

struct archive {
	/* The caller's: `n` bytes (4096 at most) from byte `at` on, 0 or an
	 * error; called by the pager's thread; slots from `slot` on. */
	long (*read)(struct archive *a, uint64_t at, void *bytes, uint64_t n);
	unsigned slot;

	/* The layout, constant once it is served. */
	struct archived {
		uint64_t at, size; /* in the archive */
		uint64_t page;     /* in the object */
	} files[FS_NODES];
	unsigned nfiles;
	struct upager pager;
};

/* Before all else, for each file in the order of the archive: `size` bytes
 * from byte `at` on. */
void archive_add(struct archive *a, uint64_t at, uint64_t size);

/* Starts to serve. 0 or an error; -WEIR_EINVAL: the object that an earlier
 * server left has another size. */
long archive_serve(struct archive *a);

/* A handle on the object, to be read, and in *page where in it the file is
 * that lies at byte `at` of the archive. Or an error. */
long archive_open(struct archive *a, uint64_t at, uint64_t *page);

/* Somebody has such a handle, or has it mapped. */
bool archive_used(struct archive *a);

/* Ends it, whether it is served or not, and forgets the layout. */
void archive_end(struct archive *a);
