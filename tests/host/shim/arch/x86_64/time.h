/* Host stand-in: see shim.h. */
#ifndef ARCH_TIME_H
#define ARCH_TIME_H
#include <stdint.h>
uint64_t time_ns(void);
#endif
