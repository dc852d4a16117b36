/* SPDX-License-Identifier: MIT
 * kill: what the files of this layer share. kill.c asks for a guest's end, handle.c has the slots that handles name,
 * request.c says what was asked, escalate.c is the timer thread's part, life.c keeps lives and turns, pace.c bounds
 * the time of an unwind, current.c says which guest this thread runs. On the guest's own thread, land.c decides at
 * each look, and advance.c, hook.c and step.c have the thread go on.
 *
 * Invariant: request.c, land.c, advance.c and hook.c run in signal handlers, and so may all of kill.c. */
#ifndef RIPCORD_KILL_PARTS_H
#define RIPCORD_KILL_PARTS_H

#include "kill/kill.h"

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

/* How long the timer thread waits before it nudges again: short at first, for a guest that is out of reach
 * for a moment, then longer, for one that sits in a system call. ns. */
enum { AGAIN_FIRST = 50 * 1000, AGAIN_LAST = 1000 * 1000, AGAIN_PART = 16 };

/* --- kill.c --- */

/* As rip_slot_ask, and nudges the thread that is in the guest. */
rip_status rip_kill_ask(struct rip_slot *slot, uint64_t word, uint32_t asked, bool same_ladder);

/* --- escalate.c --- */

/* What a slot's timer calls. */
uint64_t rip_kill_fire(struct rip_timer *timer, uint64_t now);

/* Has it go off at `due` at the latest. */
void rip_kill_arm_timer(struct rip_slot *slot, uint64_t due);

/* --- request.c --- */

/* What is asked of the guest and of those that it runs inside of; the highest rung counts. */
uint32_t rip_kill_asked_here(const struct rip_kill *kill, rip_cause *cause_ret);

/* The same, and `leaving` and `rung` say it. */
uint32_t rip_kill_note_asked(struct rip_kill *kill);
void rip_kill_note(struct rip_kill *kill, rip_cause cause, uint32_t asked);

/* --- land.c --- */

/* What the guest has waited for in this turn, or since the last landing pad. */
struct rip_waits *rip_kill_waits(struct rip_kill *kill);

/* --- hook.c --- */

/* Whether traps are ours: else one would be the guest's own signal, or the end of the process. */
bool rip_kill_may_trap(void);
/* step.c: whether a tool steps through guests, and gives traps that are not its own to rip_handle_signal. */
bool rip_kill_has_stepper(void);

/* The return address at `slot` becomes a hook's, if there is one left. */
enum rip_fault_answer rip_kill_hook_return(struct rip_kill *kill, uint64_t slot);

/* --- advance.c --- */

/* To the next poll. */
enum rip_fault_answer rip_kill_run_on(struct rip_kill *kill, const struct rip_context *at);

/* Out of where it may not be stopped, as a look has found it. */
enum rip_fault_answer rip_kill_get_out(struct rip_kill *kill, const struct rip_context *at,
					const struct rip_look *look);

#endif
