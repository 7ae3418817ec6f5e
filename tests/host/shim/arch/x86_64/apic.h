/* Host stand-in: see shim.h. */
#ifndef ARCH_APIC_H
#define ARCH_APIC_H
#include <stdint.h>
void ipi_send(uint64_t cpus, unsigned vector);
#endif
