/* SPDX-License-Identifier: MIT
 * kill: how long the cleanups of an unwind may take, and how many landing pads may run. */
#include "kill/parts.h"

#include "port/port.h"

void rip_kill_begin_unwinding(struct rip_kill *kill)
{
	struct rip_slot *slot = kill->slot;
	uint32_t asked = slot ? slot_asked(slot_word(slot)) : 0;

	kill->pace.waited = false;
	kill->pace.landings = 0;
	if (asked & ASKED_ABANDON) {
		kill->stop.abandon = true;
		kill->rung = RIP_ABANDON;
	}
	if (!asked || kill->stop.abandon)
		return;
	rip_slot_restart(slot);
	rip_kill_arm_timer(slot, later(rip_timer_now(), AGAIN_LAST));
}

void rip_kill_next_cleanup(struct rip_kill *kill)
{
	kill->pace.waited = false;
	if (kill->slot && slot_asked(slot_word(kill->slot)))
		rip_slot_restart(kill->slot);
}

/* Landing pads that may run one after the other without the stack getting shorter: nested scopes of one frame, and the
 * frames of cleanups that are stopped themselves. When there were more than that, they may go on for a time: an array
 * of 100,000 objects whose destructors all fault takes less. */
enum { LANDINGS_IN_ONE_FRAME = 4096 };
#define CIRCLES_CPU ((uint64_t)500 * 1000 * 1000)
#define CIRCLES_TIME (20 * CIRCLES_CPU)

static bool goes_in_circles(struct rip_kill *kill, bool progress)
{
	struct rip_looks *looks = looks_of(kill);
	uint64_t cpu = 0, now;

	kill->pace.landings = progress ? 0 : kill->pace.landings + 1;
	if (kill->pace.landings < LANDINGS_IN_ONE_FRAME)
		return false;
	rip_port_cpu_time(rip_port_tid(), &cpu);
	now = rip_timer_now();
	if (kill->pace.landings == LANDINGS_IN_ONE_FRAME) {
		looks->circles_cpu = cpu;
		looks->circles_since = now;
	}
	return cpu - looks->circles_cpu > CIRCLES_CPU || now - looks->circles_since > CIRCLES_TIME;
}

rip_status rip_kill_pace(struct rip_stop *stop, bool landing, bool progress)
{
	struct rip_kill *kill = (struct rip_kill *)(void *)stop;
	rip_cause cause;

	if (rip_kill_asked_here(kill, &cause) & ASKED_ABANDON) {
		kill->rung = RIP_ABANDON;
		return RIP_E_TIME;
	}
	if (!landing)
		return RIP_OK;
	rip_kill_next_cleanup(kill);
	return goes_in_circles(kill, progress) ? RIP_E_LOOP : RIP_OK;
}
