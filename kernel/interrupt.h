/* SPDX-License-Identifier: MIT
 * interrupt: interrupts in progress. */
#ifndef KERNEL_INTERRUPT_H
#define KERNEL_INTERRUPT_H

#include "machine.h"

void interrupt(struct frame *frame);

/* How many are in progress, and where they have interrupted: 0 is the outermost. */
unsigned interrupt_depth(void);
const struct frame *interrupt_frame(unsigned number);

/* For tools: at the begin and the end of an interrupt that none is around, and there with what goes on by
 * `frame`, whose vector is still the interrupt's. NULL: nobody is called. */
extern void (*interrupt_begin_hook)(void), (*interrupt_end_hook)(struct frame *frame);

#endif
