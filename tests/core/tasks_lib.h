/* SPDX-License-Identifier: MIT
 * What tasks of tests/core hold, and the tasks. */
#ifndef TASKS_LIB_H
#define TASKS_LIB_H

#include <stdint.h>

#include "ripcord/core.h"

enum { IDS = 64, EVENTS = 256 };

extern rip_core_task the_task;
extern volatile int held[IDS];        /* by each id: taken and not given back */
extern volatile int events[EVENTS];   /* ids in the order in which they were given back */
extern volatile int event_count;
extern volatile long taken, given;    /* by all */
extern volatile char *poll_page;      /* when it is closed, a poll's read faults */
extern int *volatile null_pointer;

intptr_t task_return(void *argument);
intptr_t task_fault(void *argument);
intptr_t task_backwards(void *argument);
intptr_t task_divide(void *argument);
intptr_t task_illegal(void *argument);
intptr_t task_call_null(void *argument);
intptr_t task_leave(void *argument);
intptr_t task_bad_cleanup(void *argument);
intptr_t task_overflow(void *argument);
intptr_t task_smash(void *argument);
intptr_t task_spin(void *argument);
intptr_t task_hanging_cleanup(void *argument);
intptr_t task_scopes(void *argument);
intptr_t task_foreign_exception(void *argument);

#endif
