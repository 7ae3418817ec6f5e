/*
 * ntfn.h - notifications: 64 bits that are signalled and waited for.
 */
#pragma once

#include <stdint.h>

struct ntfn; /* begins with a struct object */

/* Sets bits and wakes who waits. Any context. */
void ntfn_signal(struct ntfn *n, uint64_t bits);
