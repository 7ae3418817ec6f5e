/*
 * shim.h - what kernel code finds on the host instead of arch/ and sync.
 *
 * CPUs are threads: a test thread says which CPU it is with shim_cpu. Locks
 * are real, so the thread sanitizer sees what the kernel's would protect.
 * Physical memory is one array; address 0 is its first byte.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHIM_RAM_MIB 64
#define SHIM_RAM_BYTES ((uint64_t)SHIM_RAM_MIB << 20)
extern char shim_ram[];
extern uint64_t shim_early; /* next byte that early_alloc gives out */

extern __thread unsigned shim_cpu;
extern unsigned shim_cpus;

/* Runs fn(arg) in a child; fails the test unless it panics with a message
 * that contains `text`. */
void expect_panic(void (*fn)(void *), void *arg, const char *text);

#define CHECK(x) \
	((x) ? (void)0 : shim_fail(__FILE__, __LINE__, #x))
_Noreturn void shim_fail(const char *file, int line, const char *text);

/* The seed of this run: argv[1], else random; printed. */
uint64_t shim_seed(int argc, char **argv);
uint64_t shim_random(void); /* xorshift from the seed */
