/* SPDX-License-Identifier: MIT
 * guest: what the files of kills share: who asks (kill.c), what was asked (asked.c), the timer thread
 * (ladder.c), a guest's life (life.c), and on its own thread what a look decides (land.c) and how it goes on
 * (advance.c, hook.c).
 *
 * Invariant: asked.c, land.c, advance.c and hook.c run in signal handlers, and so may all of kill.c. */
#ifndef RIPCORD_GUEST_KILL_PARTS_H
#define RIPCORD_GUEST_KILL_PARTS_H


#include "guest/kill.h"

static inline uint64_t slot_load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void slot_store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static inline int slot_tid(const struct rip_slot *slot)
{
	return __atomic_load_n(&slot->tid, __ATOMIC_SEQ_CST);
}

static inline uint64_t later(uint64_t time, uint64_t wait)
{
	return wait > UINT64_MAX - time ? UINT64_MAX : time + wait;
}

/* --- kill.c --- */

/* As rip_slot_ask, and nudges the thread that is in the guest. */
rip_status rip_guest_ask(struct rip_slot *slot, uint64_t word, uint32_t asked, bool same_ladder);

/* --- ladder.c --- */

/* What a slot's timer calls. */
uint64_t rip_guest_fire(struct rip_timer *timer, uint64_t now);

/* Has it go off at `due` at the latest. */
void rip_guest_arm_timer(struct rip_slot *slot, uint64_t due);

/* --- asked.c --- */

/* What is asked of the guest and of those that it runs inside of; the highest rung counts. */
uint32_t rip_guest_asked_here(const rip_guest *guest, rip_cause *cause_ret);

/* The same, and `leaving` and `rung` say it. */
uint32_t rip_guest_note_asked(rip_guest *guest);
void rip_guest_note(rip_guest *guest, rip_cause cause, uint32_t asked);

/* --- land.c --- */

/* What the guest has waited for in this turn, or since the last landing pad. */
struct rip_waits *rip_guest_waits(rip_guest *guest);

/* --- hook.c --- */

/* Whether traps are ours: else one would be the guest's own signal, or the end of the process. */
bool rip_guest_may_trap(void);
/* step.c: whether a tool steps through guests, and gives traps that are not its own to rip_handle_signal. */
bool rip_guest_has_stepper(void);

/* The return address at `slot` becomes a hook's, if there is one left. */
enum rip_fault_answer rip_guest_hook_return(rip_guest *guest, uint64_t slot);

/* --- advance.c --- */

/* To the next poll. */
enum rip_fault_answer rip_guest_run_on(rip_guest *guest, const struct rip_context *at);

/* Out of where it may not be stopped, as a look has found it. */
enum rip_fault_answer rip_guest_get_out(rip_guest *guest, const struct rip_context *at,
					const struct rip_look *look);

#endif
