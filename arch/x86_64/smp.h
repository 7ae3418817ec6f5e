/*
 * smp.h - starting the other CPUs.
 */
#ifndef ARCH_SMP_H
#define ARCH_SMP_H

/* Starts every CPU of the MADT; each goes to kernel_ap_main. Returns how
 * many CPUs run, this one included. Panics when `want` is not 0 and not what
 * the MADT has, when there are more than MAX_CPUS, and when one of them does
 * not answer. First CPU; needs apic_init, time_init and the allocator. */
int smp_start(unsigned want);

#endif
