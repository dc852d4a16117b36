/* SPDX-License-Identifier: MIT
 * cancel: the handlers that functions of libc have for their own cancellation (rip_port_handler): a stop runs them
 * too, each between the landing pads of the frames inside and outside of it.
 *
 * A function of libc that locks a stream has a landing pad for its calls, and none for its own accesses: where one of
 * those was the fault, the stream is unlocked in the pad's place.
 *
 * Invariant: what a handler was given lies in frames that are still whole, since it runs below where the guest
 * stands. */
#ifndef RIPCORD_CANCEL_H
#define RIPCORD_CANCEL_H

#include "stop/stop.h"

/* The place on the guest's stack of the innermost handler; UINT64_MAX if there is none. */
uint64_t rip_cancel_next(const struct rip_stop *stop);

/* Takes that one off its list. */
void rip_cancel_drop(struct rip_stop *stop);

/* The same, and makes *context_ret where to land so that it is run: its caller stands at `there`.
 * False: it is none that could be run. *cfa_ret: of the frame that it belongs to; 0 if that is not known. */
bool rip_cancel_prepare(struct rip_stop *stop, const struct rip_context *there, bool exact,
			struct rip_context *context_ret, uint64_t *cfa_ret);

/* The same for any routine, void (*)(void *): its caller stands at the cursor. False: there is no room. */
bool rip_cancel_prepare_call(struct rip_stop *stop, const struct rip_cursor *cursor, uint64_t routine, uint64_t argument,
			     struct rip_context *context_ret);

/* The same for a frame of libc's at a gap: to land where the stream that it has locked is unlocked. False: it has
 * locked none. `cursor` is at that frame, loaded. */
bool rip_cancel_prepare_unlock(struct rip_stop *stop, const struct rip_cursor *cursor, struct rip_context *context_ret);

#endif
