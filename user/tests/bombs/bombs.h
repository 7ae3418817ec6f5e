/*
 * bombs.h - the kinds of bombs (kinds.c), for who starts them (bombs.c).
 */
#pragma once

#include "user/lib/weir_user.h"

#define TOLD_NO 40 /* exit status of a bomb */

struct bomb {
	const char *name;      /* NULL: none, it waits until there is little;
				* the end of the list */
	int (*run)(uint64_t seed);
	bool endless; /* goes on, told no or not, until it is killed */
};
extern const struct bomb bombs[];
