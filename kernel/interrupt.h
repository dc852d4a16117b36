/* SPDX-License-Identifier: MIT
 * interrupt: interrupts in progress. */
#ifndef KERNEL_INTERRUPT_H
#define KERNEL_INTERRUPT_H

#include "machine.h"

void interrupt(struct frame *frame);

/* How many are in progress, and where they have interrupted: 0 is the outermost. */
unsigned interrupt_depth(void);
const struct frame *interrupt_frame(unsigned number);

#endif
