/* Host stand-in: see shim.h. */
#pragma once
#include <stdint.h>
void ipi_send(uint64_t cpus, unsigned vector);
