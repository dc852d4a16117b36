/* SPDX-License-Identifier: MIT
 * stop: between the scheduler and the engine: faults, kills and what is left of a stopped task. With interrupts off, but
 * for task_init_core and task_reclaim. */
#ifndef KERNEL_STOP_H
#define KERNEL_STOP_H

#include "task.h"

/* Tells the engine of the kernel's image and memory. */
void stop_init(void);

void task_init_core(struct task *task);

/* The task is to be stopped for the frame's exception. False: it does not run code of its own. */
bool stop_fault(struct task *task, struct frame *frame);

/* Before the task goes on: where a kill may land now it is stopped, else it is stepped there. */
void stop_land(struct task *task);

/* True if a cleanup takes too long. */
bool stop_is_overdue(const struct task *task);

/* On the engine's stack, when the task's function is over: takes back what it has left, and notes how it ended. */
void task_reclaim(struct task *task, const rip_core_report *report);

#endif
