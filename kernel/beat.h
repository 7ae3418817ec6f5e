/*
 * beat.h - the sign of life on COM2.
 */
#ifndef KERNEL_BEAT_H
#define KERNEL_BEAT_H

/* Starts the thread that writes one `beat` record a second. */
void beat_start(void);

#endif
