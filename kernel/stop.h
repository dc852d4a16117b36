/* SPDX-License-Identifier: MIT
 * stop: between the scheduler and the engine: faults, kills and what is left of a stopped task. With
 * interrupts off, but for task_init_core and task_reclaim. */
#ifndef KERNEL_STOP_H
#define KERNEL_STOP_H

#include "task.h"

/* Tells the engine of the kernel's image and memory. */
void stop_init(void);

void task_init_core(struct task *task);

/* Called when a task was stopped, before it is unwound: a part of the task, on the engine's stack, with
 * interrupts as they were. It may wait. NULL: nobody is asked. */
extern void (*stop_hook)(struct task *task);

/* The task is to be stopped for the frame's exception; its keepers are asked first, unless it was `cut` off in a section.
 * False: it does not run code of its own. */
bool stop_fault(struct task *task, struct frame *frame, bool cut);
/* A task that is suspended is to be unwound from where it stands. */
void stop_kept(struct task *task, rip_core_cause cause);

/* An interrupt begins. True: polls trapped in what it interrupted. */
bool stop_enter(void);
/* Is the frame's exception a poll of a task that is to be killed? Then it is stopped there, or passes it. */
bool stop_poll(struct task *task, struct frame *frame);
/* Before the task goes on: if it is to be killed its polls trap. */
void stop_land(struct task *task);

/* True if a cleanup takes too long. */
bool stop_is_overdue(const struct task *task);

/* On the engine's stack, when the task's function is over: takes back what it has left, and notes how it
 * ended. */
void task_reclaim(struct task *task, const rip_core_report *report);

#endif
