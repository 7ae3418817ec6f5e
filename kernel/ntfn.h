/*
 * ntfn.h - notifications: 64 bits that are signalled and waited for.
 */
#pragma once

#include <stdint.h>

/* Sets bits of an object of type WEIR_OBJ_NTFN and wakes who waits. Any
 * context. */
void ntfn_signal(void *ntfn, uint64_t bits);
