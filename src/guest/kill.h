/* SPDX-License-Identifier: MIT
 * guest: kills, as the rest of the layer sees them. */
#ifndef RIPCORD_GUEST_KILL_H
#define RIPCORD_GUEST_KILL_H

#include "guest/handle.h"
#include "guest/state.h"

/* Gives a guest whose options have a time limit its slot. As rip_get_handle. */
rip_status rip_guest_watch(rip_guest *guest);

/* A life begins, its turns begin and end, and it is over (GONE from then on); the slot is given back. */
void rip_guest_begin_life(rip_guest *guest);
void rip_guest_begin_turn(rip_guest *guest);
void rip_guest_end_turn(rip_guest *guest);
void rip_guest_end_life(rip_guest *guest);
void rip_guest_unwatch(rip_guest *guest);

/* Whether it was asked for the end of this guest, or of one that it runs inside of: then `leaving` and `rung`
 * say how. */
bool rip_guest_is_asked(rip_guest *guest);

/* The ladder begins anew, for the unwinding and for each cleanup, but for the end that the whole has. */
void rip_guest_begin_unwinding(rip_guest *guest);
void rip_guest_next_cleanup(rip_guest *guest);

/* True if the last rung has waited for as long as it may: on the guest's thread. */
bool rip_guest_time_is_over(rip_guest *guest);

/* The rip_stop_diverter of guests: by a hook. */
bool rip_guest_divert(struct rip_stop *stop, uint64_t slot);

/* The rip_stop_pace of guests. */
rip_status rip_guest_pace(struct rip_stop *stop, bool landing, bool progress);

/* Whether a soft kill of this guest would land here, and such a kill without anybody's asking. */
bool rip_guest_lands(const rip_guest *guest, const struct rip_context *at);
enum rip_fault_answer rip_guest_stop_here(rip_guest *guest, const struct rip_context *at,
					  struct rip_fault_exit *exit_ret);

/* The rip_nudge_taker of guests. */
enum rip_fault_answer rip_guest_take_nudge(enum rip_nudge why, const struct rip_context *at,
					   struct rip_fault_exit *exit_ret);

/* A return address that was hooked is put back, if it still stands there. */
void rip_guest_unhook(rip_guest *guest);

/* The same at the end of a turn: the guest keeps no hook. */
void rip_guest_end_hooks(rip_guest *guest);

/* Whether one stands in the way that the code at `at` will return. */
bool rip_guest_hook_stands(const rip_guest *guest, const struct rip_context *at);

/* True if the guest has returned to its hook. */
bool rip_guest_is_hooked(const rip_guest *guest, const struct rip_fault *fault);

/* What comes of that. */
enum rip_fault_answer rip_guest_take_hook(rip_guest *guest, const struct rip_fault *fault,
					  struct rip_fault_exit *exit_ret);

/* What comes of an overflow: with the reserve open, killable code runs on to a place where it may be stopped.
 * PASS: it stops where it stands. */
enum rip_fault_answer rip_guest_take_overflow(rip_guest *guest, const struct rip_fault *fault,
					      struct rip_fault_exit *exit_ret);

/* What comes of a single step of a guest that is being stepped. */
enum rip_fault_answer rip_guest_take_step(rip_guest *guest, const struct rip_fault *fault,
					  struct rip_fault_exit *exit_ret);

#endif
