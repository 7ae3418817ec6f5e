/*
 * blk.h - the protocol of the block server, and its client.
 *
 * A disk is opened by its serial or its index. A session is a badged handle
 * on the server's endpoint, with one memory object of the client's, through
 * which all bytes go; sectors have 512 bytes. It ends when it is closed, or
 * when its owner's task has ended, or the server: then each request gets
 * EPEER, and the client opens the disk anew.
 */
#pragma once

#include "user/lib/weir_user.h"

#define BLK_SECTOR 512u
#define BLK_PAGE_SECTORS (WEIR_PAGE_SIZE / BLK_SECTOR)
#define BLK_SERIAL_BYTES 24u /* 20 of them at most, then NULs: 3 words */
#define BLK_MEMORY_PAGES 64u /* a session's, at most */

/* Errors of its own, beside enum weir_error: EINVAL (a bad range: nothing was
 * done), EIO (the device failed), EFULL (sessions), EPEER (no session). */
enum blk_error {
	BLK_NONE = 96, /* no such disk */
	BLK_READONLY,
};

/* To the endpoint `blk` ... */
enum blk_request {
	BLK_INFO = 1, /* w[0]: index -> w[0]: sectors, w[1]: read-only?,
		       * w[2]..w[4]: serial; BLK_NONE: no more */
	BLK_OPEN,     /* w[0]: index, handle: the owner's task (any right)
		       * -> handle: the session, then as BLK_INFO */
	/* ... and to a session. `at`: a byte of its memory. A range that does
	 * not lie in the disk and in the memory is an error. */
	BLK_MEMORY,   /* handle: MemObj, read and write; once. Anonymous or
		       * wired, at most BLK_MEMORY_PAGES */
	BLK_READ,     /* w[0]: sector, w[1]: sectors, w[2]: at */
	BLK_WRITE,    /* the same */
	BLK_FLUSH,    /* what was written before is on the disk */
	BLK_CLOSE,
};

struct blk_info {
	uint64_t sectors;
	bool readonly;
	char serial[BLK_SERIAL_BYTES];
};

struct blk {
	struct blk_info info;
	handle_t session;
	uint8_t *bytes; /* the memory, shared with the server */
	uint64_t pages;
};

/* All return 0, or -enum weir_error, or -enum blk_error. A request waits for
 * its end. Threads may use one disk at once, each its own part of the bytes. */
const char *blk_strerror(long error);
long blk_info(uint64_t index, struct blk_info *info);
/* `name`: a serial, or, where no disk has it, an index in decimal. */
long blk_open(const char *name, uint64_t pages, struct blk *disk);
long blk_read(struct blk *disk, uint64_t sector, uint64_t sectors,
	      uint64_t at);
long blk_write(struct blk *disk, uint64_t sector, uint64_t sectors,
	       uint64_t at);
long blk_flush(struct blk *disk);
void blk_close(struct blk *disk);
