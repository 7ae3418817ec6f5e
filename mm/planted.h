/*
 * planted.h - bugs that are planted on purpose, one per build.
 *
 * `make MUTANT=Z1` builds build/mutant-Z1/weir.iso with one of them; the
 * table tests/mutants.py names the test that must catch it. PLANTED(NAME)
 * is a constant 0 or 1 for use in an `if`: a build without a mutant holds
 * no trace of any. A name that is not in the list does not compile.
 */
#pragma once

enum planted {
	PLANTED_NONE,
	PLANTED_Z1,  /* IO starts before the flush */
	PLANTED_Z2,  /* frames are freed before the flush */
	PLANTED_Z4,  /* a nested reclaim resets the outer batch */
	PLANTED_Z5,  /* protect ignores an open batch */
	PLANTED_Z6,  /* the debt is a boolean */
	PLANTED_Z20, /* a page is shared before the flush */
	PLANTED_Z22, /* the PTE is read, then cleared */
	PLANTED_Z27, /* who finds a page on its way in does not wait */
	PLANTED_Z31, /* a tag is loaded without a look at the generation */
	PLANTED_Z35, /* a flush that flushes nothing */
};

#ifndef MUTANT
#define MUTANT NONE
#endif

#define PLANTED_NAME_(name) PLANTED_##name
#define PLANTED_NAME(name) PLANTED_NAME_(name)
#define PLANTED(name) (PLANTED_##name == PLANTED_NAME(MUTANT))
