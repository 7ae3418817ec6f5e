/*
 * ntfn.h - notifications: 64 bits that are signalled and waited for.
 */
#pragma once

#include <stdint.h>

struct ntfn; /* begins with a struct object */

struct ntfn *ntfn_create(void); /* one reference; NULL: no memory */

/* Sets bits and wakes who waits. Any context. */
void ntfn_signal(struct ntfn *n, uint64_t bits);

/* Sleeps until a bit of `mask` is set; takes those that are into *bits. 0,
 * -WEIR_ETIMEOUT (deadline in ns since boot, 0: none), -WEIR_EPEER (killed). */
int ntfn_wait(struct ntfn *n, uint64_t mask, uint64_t deadline_ns,
	      uint64_t *bits);
