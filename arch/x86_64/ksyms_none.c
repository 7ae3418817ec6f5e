/*
 * ksyms_none.c - an empty symbol table, for the first link (ksyms.sh). Apart
 * from its reader, so that the compiler cannot draw conclusions from it.
 */
#include <stdint.h>

#define STAND_IN __attribute__((weak)) const

extern const uint32_t ksyms_count, ksyms_name[];
extern const uint64_t ksyms_address[];
extern const char ksyms_text[];

STAND_IN uint32_t ksyms_count = 0;
STAND_IN uint32_t ksyms_name[1] = { 0 };
STAND_IN uint64_t ksyms_address[1] = { 0 };
STAND_IN char ksyms_text[1] = { 0 };
