/* Host stand-in: see shim.h. */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
void kprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define ksnprintf snprintf
