/* Host stand-in: see shim.h. */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H
#include <stdbool.h>
#include <stdint.h>
#define MAX_CPUS 64
struct tlb_batch;
struct cpu {
	unsigned id;
	int spin_depth;
	struct tlb_batch *batch;
};
struct cpu *this_cpu(void);
struct cpu *cpu_of(unsigned id);
unsigned cpu_id(void);
unsigned cpu_count(void);
static inline bool irq_enabled(void) { return true; }
static inline uint64_t irq_save(void) { return 0; }
static inline void irq_restore(uint64_t f) { (void)f; }
static inline void irq_enable(void) { }
static inline void irq_disable(void) { }
static inline void cpu_relax(void) { }
#endif
