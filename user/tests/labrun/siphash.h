/*
 * siphash.h - SipHash-2-4: the keyed hash that says who wrote a record.
 *
 * J.-P. Aumasson, D. J. Bernstein: SipHash: a fast short-input PRF, 2012. A
 * key of 128 bits and a tag of 64; tools/weirlib/siphash.py checks it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const uint64_t key[2], const void *bytes, size_t n);
