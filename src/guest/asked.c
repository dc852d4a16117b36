/* SPDX-License-Identifier: MIT
 * guest: what was asked of a guest, and what its end is called for that. */
#include "guest/kill_parts.h"

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
static uint32_t asked_of(const rip_guest *guest)
{
	uint32_t asked = guest->slot ? slot_asked(slot_word(guest->slot)) : 0;

	if (asked & ASKED_ABANDON)
		asked |= ASKED_FIRM;
	if (guest->state == RIP_STATE_UNWINDING && !(asked & ASKED_FIRM))
		return 0;
	return asked;
}

/* The same of the guest and those that it runs inside of; the highest rung counts. What an outer one's mask
 * holds back does not end the inner one either. */
uint32_t rip_guest_asked_here(const rip_guest *guest, rip_cause *cause_ret)
{
	uint32_t asked = asked_of(guest), outer = 0;

	for (const rip_guest *other = guest->outer; other; other = other->outer) {
		uint32_t its = asked_of(other);
		outer |= its & ASKED_FIRM || other->masks == 0 ? its : 0;
	}
	*cause_ret = asked ? cause_of(asked) : RIP_CAUSE_OUTER;
	return asked | outer;
}

/* In a guest that is being unwound, a cleanup is stopped: the cause stays. */
void rip_guest_note(rip_guest *guest, rip_cause cause, uint32_t asked)
{
	rip_rung rung = rung_of(asked);
	bool unwinding = guest->state == RIP_STATE_UNWINDING;

	guest->leaving = (rip_outcome){ .cause = cause };
	guest->leaving_by_fault = false;
	if (!unwinding || rung > guest->rung)
		guest->rung = rung;
}

static void note_overflow(rip_guest *guest)
{
	guest->leaving = (rip_outcome){ .cause = RIP_CAUSE_OVERFLOW };
	guest->leaving_by_fault = true;
	guest->rung = RIP_RUNG_NONE;
}

/* An overflow came first, whatever was asked since. */
uint32_t rip_guest_note_asked(rip_guest *guest)
{
	rip_cause cause;
	uint32_t asked = rip_guest_asked_here(guest, &cause);

	if (guest->overflowing)
		note_overflow(guest);
	else if (asked)
		rip_guest_note(guest, cause, asked);
	return asked;
}

bool rip_guest_must_end(const rip_guest *guest)
{
	rip_cause cause;

	return guest && (rip_guest_asked_here(guest, &cause) & ASKED_FIRM) != 0;
}

bool rip_guest_is_asked(rip_guest *guest)
{
	return rip_guest_note_asked(guest) != 0 || guest->overflowing;
}
