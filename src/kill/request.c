/* SPDX-License-Identifier: MIT
 * kill: maps what was asked of a guest to the cause and the rung of its end. */
#include "kill/parts.h"

static rip_cause cause_of(uint32_t asked)
{
	if (asked & ASKED_KILL)
		return RIP_CAUSE_KILLED;
	return asked & ASKED_DEADLINE ? RIP_CAUSE_DEADLINE : RIP_CAUSE_CPU;
}

static rip_rung rung_of(uint32_t asked)
{
	return asked & ASKED_ABANDON ? RIP_ABANDON : asked & ASKED_FIRM ? RIP_FIRM : RIP_SOFT;
}

/* What is asked of one guest, as far as it still matters: a guest that is being unwound has its cause, and
 * only its cleanups can take too long. */
static uint32_t asked_of(const struct rip_kill *kill)
{
	uint32_t asked = kill->slot ? slot_asked(slot_word(kill->slot)) : 0;

	if (asked & ASKED_ABANDON)
		asked |= ASKED_FIRM;
	if (kill->state == RIP_STATE_UNWINDING && !(asked & ASKED_FIRM))
		return 0;
	return asked;
}

/* The same of the guest and those that it runs inside of; the highest rung counts. What an outer one's mask
 * holds back does not end the inner one either. */
uint32_t rip_kill_asked_here(const struct rip_kill *kill, rip_cause *cause_ret)
{
	uint32_t asked = asked_of(kill), outer = 0;

	for (const struct rip_kill *other = kill_of(kill->outer); other; other = kill_of(other->outer)) {
		uint32_t its = asked_of(other);
		outer |= its & ASKED_FIRM || other->masks == 0 ? its : 0;
	}
	*cause_ret = asked ? cause_of(asked) : RIP_CAUSE_OUTER;
	return asked | outer;
}

/* In a guest that is being unwound, a cleanup is stopped: the cause stays. */
void rip_kill_note(struct rip_kill *kill, rip_cause cause, uint32_t asked)
{
	rip_rung rung = rung_of(asked);
	bool unwinding = kill->state == RIP_STATE_UNWINDING;

	kill->leaving = (rip_outcome){ .cause = cause };
	kill->leaving_by_fault = false;
	if (!unwinding || rung > kill->rung)
		kill->rung = rung;
}

static void note_overflow(struct rip_kill *kill)
{
	kill->leaving = (rip_outcome){ .cause = RIP_CAUSE_OVERFLOW };
	kill->leaving_by_fault = true;
	kill->rung = RIP_RUNG_NONE;
}

/* An overflow came first, whatever was asked since. */
uint32_t rip_kill_note_asked(struct rip_kill *kill)
{
	rip_cause cause;
	uint32_t asked = rip_kill_asked_here(kill, &cause);

	if (kill->overflowing)
		note_overflow(kill);
	else if (asked)
		rip_kill_note(kill, cause, asked);
	return asked;
}

bool rip_kill_must_end(const struct rip_kill *kill)
{
	rip_cause cause;

	return kill && (rip_kill_asked_here(kill, &cause) & ASKED_FIRM) != 0;
}

bool rip_kill_is_asked(struct rip_kill *kill)
{
	return rip_kill_note_asked(kill) != 0 || kill->overflowing;
}
