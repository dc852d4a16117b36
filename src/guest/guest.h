/* SPDX-License-Identifier: MIT
 * guest: a guest's life: create, run, yield, resume, exit, reset, destroy; what the program layer needs
 * besides ripcord.h.
 *
 * Invariants: the control block lies in host memory, never on the guest's stack; every call checks the state
 * that it needs, and changes nothing where it does not find it. */
#ifndef RIPCORD_GUEST_H
#define RIPCORD_GUEST_H

#include "ripcord/ripcord.h"
#include "stack/stack.h"

/* The stacks of a public pool. */
struct rip_stack_pool *rip_pool_stacks(rip_pool *pool);
/* Whether it is one: a look before anything is done, which faults if it is not even memory. */
bool rip_is_pool(const rip_pool *pool);

/* Runs another function on a guest that has ended, below what it left on its stack, so that objects of
 * the frames that are gone can still be addressed (C lets atexit handlers use a stream whose buffer is
 * a local of main). The report is made anew, unless the function returns: then outcome and report stay
 * as they were. Its time limits go on. STATE unless the guest has ended; otherwise as rip_guest_run. */
rip_status rip_guest_again(rip_guest *guest, rip_function function, void *argument,
			   rip_outcome *outcome_ret);

/* Takes back what the guest owned, as rip_run does at its end unless a program is set. `flush` as exit() does
 * it with streams. STATE unless the guest has ended. */
rip_status rip_guest_reclaim(rip_guest *guest, bool flush);

/* A pointer that the layer above keeps with the guest. Any thread that uses the guest. */
void rip_guest_set_program(rip_guest *guest, void *program);

/* Functions that run on the guest's stack, below its code, and hold nothing: kills pass their frames. */
void rip_guest_set_glue(rip_guest *guest, rip_function first, rip_function second);

void *rip_guest_program(const rip_guest *guest);

/* What modules do on a guest that runs no program. */
extern const struct rip_hooks rip_guest_hooks;

#endif
