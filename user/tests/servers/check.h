/*
 * check.h - what the files of the servers' test share.
 */
#pragma once

#include "user/lib/weir_user.h"

/* Counts; says what failed. From any thread. */
void check(bool good, const char *what, const char *file, int line);
#define CHECK(x) check((x), #x, __FILE__, __LINE__)

uint64_t random64(void);

/* A file with just this text, and its number. */
uint64_t make_file(const char *path, const char *text);
/* Ends a server; needs to be privileged. False: it does not run just now. */
bool kill_server(const char *name);
void test_fs(void);
void test_paged(void);
void test_fuzz(void);
