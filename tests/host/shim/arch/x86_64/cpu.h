/* Host stand-in: see shim.h. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#define MAX_CPUS 64
struct tlb_batch;
struct cpu {
	unsigned id;
	uint32_t locks_held;
	struct tlb_batch *batch;
};
struct cpu *this_cpu(void);
struct cpu *cpu_of(unsigned id);
unsigned cpu_id(void);
unsigned cpu_count(void);
/* Interrupts are a flag a CPU; a driver that plays them looks at it. */
bool irq_enabled(void);
uint64_t irq_save(void);
void irq_restore(uint64_t flags);
void irq_enable(void);
void irq_disable(void);
void shim_relax(void); /* a driver may say what happens meanwhile */
static inline void cpu_relax(void) { shim_relax(); }
