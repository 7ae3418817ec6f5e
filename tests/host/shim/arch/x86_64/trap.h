/* Host stand-in: see shim.h. */
#pragma once
#define VEC_TLB 0xe1
struct trapframe;
void irq_register(unsigned vector, void (*fn)(struct trapframe *));
