/*
 * fwcfg.h - files that QEMU hands over.
 */
#pragma once

#include <stddef.h>

/* Reads at most n bytes of the file `name`: bytes read, or -1 when there is
 * no such file or no such device. Boot. */
int fwcfg_read(const char *name, char *buf, size_t n);
