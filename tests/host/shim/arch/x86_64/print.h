/* Host stand-in: see shim.h. */
#pragma once
#include <stdarg.h>
#include <stdio.h>
#include "arch/x86_64/string.h"
void kprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define ksnprintf snprintf
