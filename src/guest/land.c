/* SPDX-License-Identifier: MIT
 * guest: the thread that looks whether it may stop where it stands. */
#include "guest/kill_parts.h"

#include <errno.h>

#include "base/sync.h"
#include "port/port.h"

/* How long a firm kill waits for what is over soon, in ns: for a thread that runs on to its next poll (it should come to
 * one within a hundred microseconds; recursion without loops may have none); for a masked part or a function of libc;
 * for a stub to record what it has acquired. The last rung waits for libc and stubs no longer than LAST. */
enum {
	RUNS_TIME = 10 * 1000 * 1000, WAITS_TIME = 50 * 1000 * 1000, STUB_TIME = 1000 * 1000 * 1000,
	LAST_TIME = 40 * 1000 * 1000,
};

/* On a busy machine the thread may hardly have run in that time: so many looks are the least. */
enum { LOOKS_MIN = 8 };

static enum rip_fault_answer stop_here(rip_guest *guest, const struct rip_context *at,
				       struct rip_fault_exit *exit_ret)
{
	guest->stop.inside = false;
	guest->stop.at = *at;
	guest->stop.exact = true;
	exit_ret->pc = (uintptr_t)rip_arch_host_return;
	exit_ret->sp = (uintptr_t)guest->stop.way.host_sp;
	exit_ret->rax = RIP_EVENT_KILLED;
	return RIP_FAULT_LEAVE;
}

/* Whether the thread is in a part of the runtime that holds something. */
static bool is_holding(const rip_guest *guest)
{
	return guest->busy != 0 || guest->face->ledger.busy || rip_port_is_holding();
}

/* Whether the thread stands on the guest's stack, in neither a switch, nor a hook, nor such a part. */
static bool may_stop(const rip_guest *guest, const struct rip_context *at)
{
	uint64_t sp = at->reg[RIP_REG_RSP], pc = at->reg[RIP_REG_RIP];

	return rip_stack_holds(&guest->stop.stack, sp) && !rip_arch_is_switch(pc) && !rip_arch_is_hook(pc) &&
	       !is_holding(guest);
}

static enum rip_fault_answer stop_now(rip_guest *guest, uint32_t asked, const struct rip_context *at,
				      struct rip_fault_exit *exit_ret)
{
	enum rip_fault_answer answer = stop_here(guest, at, exit_ret);

	rip_guest_note_asked(guest);
	guest->stop.abandon = (asked & ASKED_ABANDON) != 0;
	if (guest->overflowing)
		exit_ret->rax = RIP_EVENT_LEFT;
	return answer;
}

/* Interrupted in a system call, which has given nothing. */
static bool is_blocked(const struct rip_context *at)
{
	const uint8_t *behind = (const uint8_t *)(uintptr_t)at->reg[RIP_REG_RIP];

	return rip_arch_is_system_call(behind - RIP_ARCH_SYSTEM_CALL_SIZE) &&
	       at->reg[RIP_REG_RAX] == (uint64_t)-EINTR;
}

/* The time is counted from the first look that waits. */
static bool in_time(uint64_t *since, uint64_t time)
{
	uint64_t now = rip_timer_now();

	if (*since == 0)
		*since = now;
	return now - *since < time;
}

struct rip_waits *rip_guest_waits(rip_guest *guest)
{
	struct rip_waits *waits = &looks_of(guest)->waits;

	if (!guest->waited)
		*waits = (struct rip_waits){ 0 };
	guest->waited = true;
	return waits;
}

static bool waits(rip_guest *guest, uint64_t time)
{
	struct rip_waits *waits = rip_guest_waits(guest);

	return in_time(&waits->since, time) || waits->looks++ < LOOKS_MIN;
}

bool rip_guest_time_is_over(rip_guest *guest)
{
	rip_cause cause;

	return rip_guest_asked_here(guest, &cause) & ASKED_ABANDON &&
	       !in_time(&rip_guest_waits(guest)->last_since, LAST_TIME);
}

/* A stub has recorded what it acquired only when it returns. What it waits for in libc may never come; the
 * rest comes to an end. */
static bool waits_for_library(rip_guest *guest, uint32_t asked, const struct rip_context *at,
			      uint64_t *slot_ret)
{
	bool stub = rip_stop_in_stub(&guest->stop, at, slot_ret);

	if (!stub && !rip_stop_in_library(&guest->stop, at, slot_ret))
		return false;
	if (asked & ASKED_ABANDON)
		return in_time(&rip_guest_waits(guest)->last_since, LAST_TIME);
	return waits(guest, stub && !is_blocked(at) ? STUB_TIME : WAITS_TIME);
}

/* A masked part is mostly over soon: what was on the way to the next poll, or a cleanup. */
static bool waits_for_masked(rip_guest *guest, const struct rip_look *look)
{
	if (look->landing != RIP_LANDING_MASKED || !look->reachable)
		return false;
	if (guest->brought_back || (guest->steps > 0 && !guest->tired))
		return true;
	return waits(guest, WAITS_TIME);
}

static bool waits_for_poll(rip_guest *guest, const struct rip_look *look)
{
	if ((look->landing != RIP_LANDING_NEAR && look->landing != RIP_LANDING_UNWINDER) || guest->tired)
		return false;
	struct rip_waits *waits = rip_guest_waits(guest);
	return guest->steps > 0 || guest->brought_back || in_time(&waits->runs_since, RUNS_TIME) ||
	       waits->runs++ < LOOKS_MIN;
}

/* A firm kill waits for what is over soon: the way to the next poll; a function of libc, which may hold a
 * lock; a stub. The last rung runs no cleanup, so that only the latter matter to it. */
static enum rip_fault_answer consider_firmly(rip_guest *guest, uint32_t asked, const struct rip_context *at,
					     struct rip_fault_exit *exit_ret)
{
	uint64_t slot;
	struct rip_look look = { .landing = RIP_LANDING_FOREIGN };

	if (guest->masks == 0 && guest->state == RIP_STATE_RUNNING && !(asked & ASKED_ABANDON))
		rip_stop_landing(&guest->stop, at, false, &looks_of(guest)->judged, &look);
	if (waits_for_poll(guest, &look))
		return rip_guest_get_out(guest, at, &look);
	if (waits_for_masked(guest, &look))
		return rip_guest_get_out(guest, at, &look);
	if (look.landing == RIP_LANDING_HERE || !waits_for_library(guest, asked, at, &slot))
		return stop_now(guest, asked, at, exit_ret);
	return slot ? rip_guest_hook_return(guest, slot) : RIP_FAULT_GO_ON;
}

static enum rip_fault_answer consider_softly(rip_guest *guest, uint32_t asked, const struct rip_context *at,
					     struct rip_fault_exit *exit_ret)
{
	struct rip_look look;

	if (guest->masks || guest->state != RIP_STATE_RUNNING)
		return RIP_FAULT_GO_ON;
	rip_stop_landing(&guest->stop, at, false, &looks_of(guest)->judged, &look);
	return look.landing == RIP_LANDING_HERE ? stop_now(guest, asked, at, exit_ret) :
						  rip_guest_get_out(guest, at, &look);
}

/* There is nobody who nudges again: where it cannot go on under control, it is stopped. */
static enum rip_fault_answer consider_overflow(rip_guest *guest, const struct rip_context *at,
					       struct rip_fault_exit *exit_ret)
{
	enum rip_fault_answer answer = RIP_FAULT_GO_ON;
	struct rip_look look;

	if (rip_guest_hook_stands(guest, at))
		return RIP_FAULT_GO_ON;
	rip_stop_landing(&guest->stop, at, true, &looks_of(guest)->judged, &look);
	if (look.landing != RIP_LANDING_HERE && look.reachable)
		answer = rip_guest_get_out(guest, at, &look);
	return answer == RIP_FAULT_STEP || rip_guest_hook_stands(guest, at) ? answer :
									       stop_now(guest, 0, at, exit_ret);
}

bool rip_guest_lands(const rip_guest *guest, const struct rip_context *at)
{
	struct rip_judged judged = { 0 };
	struct rip_look look;

	if (!may_stop(guest, at) || guest->masks || guest->state != RIP_STATE_RUNNING)
		return false;
	rip_stop_landing(&guest->stop, at, false, &judged, &look);
	return look.landing == RIP_LANDING_HERE;
}

enum rip_fault_answer rip_guest_stop_here(rip_guest *guest, const struct rip_context *at,
					  struct rip_fault_exit *exit_ret)
{
	rip_guest_note(guest, RIP_CAUSE_KILLED, ASKED_KILL);
	return stop_here(guest, at, exit_ret);
}

/* In a signal handler on the alternate stack, which may be the host's, for as long as all looks have found it
 * there. The last rung waits for such a one no longer than for libc. */
static bool stays_astray(rip_guest *guest, uint32_t asked, const struct rip_context *at)
{
	if (!(asked & ASKED_ABANDON) || is_holding(guest))
		return false;
	if (rip_fault_is_alternate(at->reg[RIP_REG_RSP]))
		return !in_time(&rip_guest_waits(guest)->astray_since, LAST_TIME);
	rip_guest_waits(guest)->astray_since = 0;
	return false;
}

static enum rip_fault_answer consider(rip_guest *guest, const struct rip_context *at,
				      struct rip_fault_exit *exit_ret)
{
	rip_cause cause;
	uint32_t asked = rip_guest_asked_here(guest, &cause);

	guest->stepping = false;
	if (!asked && !guest->overflowing)
		return RIP_FAULT_GO_ON;
	if (!may_stop(guest, at))
		return stays_astray(guest, asked, at) ? stop_now(guest, asked, at, exit_ret) : RIP_FAULT_GO_ON;
	if (asked & ASKED_FIRM)
		return consider_firmly(guest, asked, at, exit_ret);
	if (guest->overflowing)
		return consider_overflow(guest, at, exit_ret);
	return consider_softly(guest, asked, at, exit_ret);
}

/* In an on_stop, whose host is a guest: that is asked, too. There is no way to a poll through rip_run: only a firm kill
 * lands, once libc is left. */
static enum rip_fault_answer consider_shown(rip_guest *guest, const struct rip_context *at, struct rip_fault_exit *exit_ret)
{
	rip_guest *outer = rip_guest_in_charge();
	rip_cause cause;
	uint64_t slot;

	if (outer == guest || guest->busy || outer->busy != guest->shown_busy || outer->face->ledger.busy ||
	    rip_port_is_holding() || !rip_stack_holds(&outer->stop.stack, at->reg[RIP_REG_RSP]))
		return RIP_FAULT_PASS;
	uint32_t asked = rip_guest_asked_here(outer, &cause);
	if (!(asked & ASKED_FIRM) || waits_for_library(outer, asked, at, &slot))
		return RIP_FAULT_PASS;
	rip_guest_end_show(guest);
	return stop_now(outer, asked, at, exit_ret);
}

/* What is judged holds for as long as each instruction is looked at. */
static void look_anew(rip_guest *guest)
{
	guest->steps = 0;
	guest->tired = false;
	looks_of(guest)->judged = (struct rip_judged){ 0 };
}

/* All that are asked through this thread. */
static void have_heard(const rip_guest *guest)
{
	for (; guest; guest = guest->outer)
		if (guest->slot)
			__atomic_store_n(&guest->slot->heard, 1, __ATOMIC_RELAXED);
}

static void have_looked(const rip_guest *guest, uint64_t since)
{
	uint64_t time = rip_timer_now() - since;

	for (; guest; guest = guest->outer)
		if (guest->slot)
			__atomic_store_n(&guest->slot->look_time, time < UINT32_MAX ? (uint32_t)time : UINT32_MAX,
					 __ATOMIC_RELAXED);
}

enum rip_fault_answer rip_guest_take_nudge(enum rip_nudge why, const struct rip_context *at,
					   struct rip_fault_exit *exit_ret)
{
	rip_guest *guest = rip_current;

	RIP_SYNC(NUDGED);
	have_heard(guest);
	if (!is_inside(guest))
		return guest && guest->shown ? consider_shown(guest, at, exit_ret) : RIP_FAULT_PASS;
	guest->brought_back = why != RIP_NUDGE_SENT;
	if (guest->brought_back)
		RIP_SYNC(BACK);
	uint64_t now = rip_timer_now();
	if (!guest->stepping && now >= looks_of(guest)->quiet_until)
		look_anew(guest);
	else if (!guest->stepping)
		looks_of(guest)->judged = (struct rip_judged){ 0 };
	enum rip_fault_answer answer = consider(guest, at, exit_ret);
	guest->brought_back = false;
	have_looked(guest, now);
	RIP_SYNC(DECIDED);
	return answer;
}

enum rip_fault_answer rip_guest_take_step(rip_guest *guest, const struct rip_fault *fault,
					  struct rip_fault_exit *exit_ret)
{
	RIP_SYNC(STEPPED);
	if (!is_inside(guest)) {
		guest->stepping = false;
		return RIP_FAULT_GO_ON;
	}
	return consider(guest, &fault->context, exit_ret);
}

/* The unwind goes on from where the return leads. */
static enum rip_fault_answer come_back(rip_guest *guest, const struct rip_context *at, struct rip_fault_exit *exit_ret)
{
	guest->diverted = false;
	stop_here(guest, at, exit_ret);
	guest->stop.exact = false;
	exit_ret->rax = RIP_EVENT_RESUMED;
	return RIP_FAULT_LEAVE;
}

enum rip_fault_answer rip_guest_take_hook(rip_guest *guest, const struct rip_fault *fault,
					  struct rip_fault_exit *exit_ret)
{
	struct rip_context at = fault->context;
	uint64_t trap = (uint64_t)1 << (SIGTRAP - 1);

	RIP_SYNC(TRAPPED);
	exit_ret->block_trap = (rip_arch_hook_mask(guest->hook - 1) & trap) != 0;
	at.reg[RIP_REG_RIP] = exit_ret->pc = rip_arch_hook_return(guest->hook - 1);
	rip_guest_unhook(guest);
	look_anew(guest);
	if (guest->diverted && is_inside(guest))
		return come_back(guest, &at, exit_ret);
	return is_inside(guest) ? consider(guest, &at, exit_ret) : RIP_FAULT_GO_ON;
}

enum rip_fault_answer rip_guest_take_overflow(rip_guest *guest, const struct rip_fault *fault,
					      struct rip_fault_exit *exit_ret)
{
	struct rip_look look;

	look_anew(guest);
	if (guest->busy || guest->state != RIP_STATE_RUNNING || guest->stop.stack.reserve_open)
		return RIP_FAULT_PASS;
	rip_stop_landing(&guest->stop, &fault->context, true, &looks_of(guest)->judged, &look);
	if (!look.reachable || rip_stack_open_reserve(&guest->stop.stack) != RIP_OK)
		return RIP_FAULT_PASS;
	guest->fault = *fault;
	guest->overflowing = true;
	rip_guest_unhook(guest);
	return consider_overflow(guest, &fault->context, exit_ret);
}
