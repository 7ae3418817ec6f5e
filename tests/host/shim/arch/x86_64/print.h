/* Host stand-in: see shim.h. */
#ifndef ARCH_PRINT_H
#define ARCH_PRINT_H
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
void kprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define ksnprintf snprintf
#endif
