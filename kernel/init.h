/*
 * init.h - starting the first task.
 */
#ifndef KERNEL_INIT_H
#define KERNEL_INIT_H

struct bootinfo;

/* Makes the task `init` from the boot modules `init` and `initrd` and starts
 * its thread. Panics, naming it, when something is missing or damaged. From a
 * kernel thread; sleeps. */
void init_start(const struct bootinfo *bi);

#endif
