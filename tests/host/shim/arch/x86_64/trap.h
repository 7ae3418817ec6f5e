/* Host stand-in: see shim.h. */
#ifndef ARCH_TRAP_H
#define ARCH_TRAP_H
#define VEC_TLB 0xe1
struct trapframe;
void irq_register(unsigned vector, void (*fn)(struct trapframe *));
#endif
