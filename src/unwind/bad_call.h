/* SPDX-License-Identifier: MIT
 * unwind: frames without tables, that a call of a bad address made. */
#ifndef RIPCORD_UNWIND_BAD_CALL_H
#define RIPCORD_UNWIND_BAD_CALL_H

#include "unwind/unwind.h"

/* Loads the cursor's frame as a BARE one: its pc is exact and in no table, and on top of its stack a call
 * instruction has left its return address. False if it is anything else. */
bool rip_cursor_load_bare(struct rip_cursor *cursor);

#endif
