/* SPDX-License-Identifier: MIT */
#ifndef KILLED_LIB_H
#define KILLED_LIB_H

#include <stdint.h>

extern volatile int killed_held, killed_events;
intptr_t killed_task(void *argument);

#endif
