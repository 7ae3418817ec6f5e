/*
 * param.h - what the kernel command line asks for.
 *
 * Words `key=value`, separated by blanks; a word or its value may be put in
 * double quotes. \" \' \\ stand for the character. Later words win.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define RUN_MAX 512
#define FAULTS_MAX 256

struct params {
	uint64_t cpus;     /* CPUs that must be found; 0: all there are */
	uint64_t mem_mib;  /* memory to use at most; 0: all */
	uint64_t swap_mib; /* size of the ramdisk; 0: mm chooses */
	bool swap_virtio;  /* a program may attach a disk as swap */
	uint64_t policy;   /* enum weir_policy */
	uint64_t batch;    /* frames per reclaim pass */
	uint64_t readahead; /* pages at most: mm/readahead.h; atomic */
	uint64_t ranged;   /* pages at most: tlb_flush_range; atomic */
	uint64_t seed;     /* of the swap device's delays */
	uint64_t delay_us; /* longest delay of a swap IO; may change, atomic */
	uint64_t pcid;     /* tags in the TLB where the CPU has them: 0, 1 */
	uint64_t check;    /* check=: enum check, a bit each */
	uint64_t points;   /* delay=SEED:points: enum weir_point, a bit each */
	uint64_t points_seed;
#ifdef PLANT
	uint64_t planted;  /* enum planted: the bug of plant= */
#endif
	char fault[FAULTS_MAX]; /* for init: user/lib/faults.c */
	char run[RUN_MAX]; /* what init runs first; "": nothing */
};

/* What is checked at run time, beyond assertions. */
enum check {
	CHECK_TLB = 1 << 0,   /* mm/oracle.h */
	CHECK_AUDIT = 1 << 1, /* kernel/audit.c */
	CHECK_POISON = 1 << 2, /* mm/frame.h */
	CHECK_SLOTS = 1 << 3, /* mm/swap.h */
};
#define CHECK_NAMES { "tlb", "audit", "poison", "slots" }

extern struct params params;

/* The values in force when a word does not set them. */
#define PARAM_DEFAULTS \
	{ .policy = WEIR_TLB_TWO_PASS, .batch = 64, .readahead = 8, \
	  .ranged = 32, .seed = 1, .pcid = 1 }

#define DELAY_MAX_US 10000000u
#define READAHEAD_MAX 16u /* pages */
#define RANGED_MAX 512u   /* pages */

/* Applies the words of `text`. Each bad word is named in a sentence given to
 * `complain`, changes nothing, and counts in the result. */
unsigned param_parse(const char *text, struct params *p,
		     void (*complain)(const char *));
