/* SPDX-License-Identifier: MIT
 * stop: the forced unwind: runs every cleanup on a stopped guest's stack, from the host's stack.
 *
 * For each frame with a landing pad the engine switches onto the guest's stack at the pad, with the frame's
 * registers. What comes back is always a place to go on from: the pad's call of _Unwind_Resume, or where the
 * pad itself was stopped. So one loop serves all: walk up from where the guest stands, enter the next
 * pad, and again, until the backstop.
 *
 * Invariants: runs on the host's stack, never in a signal handler; allocates nothing; ends, however the
 * tables and the stack look; the pads of one frame run in program order, each at most once. */
#ifndef RIPCORD_STOP_H
#define RIPCORD_STOP_H

#include <unwind.h>

#include "arch.h"
#include "ripcord/ripcord.h"
#include "stack/stack.h"
#include "unwind/unwind.h"

struct rip_stop;

struct rip_stop_result {
	uint64_t cleanups_run, cleanups_failed;
	bool abandoned;
	rip_status reason;    /* why, if abandoned */
	uint64_t rest;        /* if all frames from some one on were abandoned: that one's rsp; else 0 */
};

/* Told the fate of each frame that was not plain (named by its CFA; 0 if that is not known). The frames beyond
 * rip_stop_result.rest are not told one by one. */
typedef void (*rip_stop_observer)(void *context, uint64_t cfa, rip_frame_fate fate);

/* One guest's stack, and where on it the guest stands. Zeroed, then rip_stop_init. */
struct rip_stop {
	struct rip_switch way;
	struct rip_context at;  /* where the guest stands, after any event but RETURNED */
	bool exact;             /* at.rip is the instruction itself, not a return address */
	volatile bool inside;   /* control is on the guest's stack: a fault on this thread is its own */
	struct rip_stack stack;
	struct rip_exception exception;
};

void rip_stop_init(struct rip_stop *stop, const struct rip_stack *stack);

/* Runs function(argument) on the guest's stack below `top`. After any event but RETURNED, `at` is set. */
enum rip_event rip_stop_enter(struct rip_stop *stop, intptr_t (*function)(void *), void *argument,
			      void *top);

/* On the guest's stack: ends its turn. `at` becomes where the caller stands. */
__attribute__((noreturn)) void rip_stop_leave(struct rip_stop *stop, enum rip_event event);

/* The memory that the guest's stack occupies, for cursors. */
struct rip_memory rip_stop_memory(const struct rip_stop *stop);

/* Unwinds from `at` to the backstop. `observer` may be NULL. */
void rip_stop_unwind(struct rip_stop *stop, rip_stop_observer observer, void *context,
		     struct rip_stop_result *result_ret);

#endif
