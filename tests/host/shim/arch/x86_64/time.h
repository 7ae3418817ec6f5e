/* Host stand-in: see shim.h. */
#pragma once
#include <stdint.h>
uint64_t time_ns(void);
