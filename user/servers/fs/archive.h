/*
 * archive.h - the initrd's files as one paged object.
 *
 * The object holds the archive's files in their order, each from the start of
 * a page, with zeros behind its end. Its pages are read from the archive when
 * somebody touches them; clean as they are, reclaim just drops them. Nobody
 * can write to it. The pager outlives this server: init keeps its handles in
 * four slots, and the page that notes the request in hand; the layout is that
 * of the archive, so each incarnation can serve the mappings that were made
 * of an earlier one. A reader waits meanwhile, until the pager's deadline.
 */
#ifndef USER_FS_ARCHIVE_H
#define USER_FS_ARCHIVE_H

#include <stdint.h>

#define ARCHIVE_SLOTS 4u /* of the keeper */

/* Before all else, for each file in the order of the archive: `size` bytes
 * from byte `at` on. */
void archive_add(uint64_t at, uint64_t size);

/* Starts to serve, with slots from `slot` on. 0 or an error. */
long archive_serve(const uint8_t *archive, unsigned slot);

/* A handle on the object, to be read, and in *page where in it the file is
 * that lies at byte `at` of the archive. Or an error. */
long archive_open(uint64_t at, uint64_t *page);

#endif
