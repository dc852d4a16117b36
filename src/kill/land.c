/* SPDX-License-Identifier: MIT
 * kill: looks, on the guest's own thread, whether the guest may be stopped where it stands. */
#include "kill/parts.h"

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

static enum rip_fault_answer stop_here(struct rip_kill *kill, const struct rip_context *at,
				       struct rip_fault_exit *exit_ret)
{
	kill->stop.inside = false;
	kill->stop.at = *at;
	kill->stop.exact = true;
	exit_ret->pc = (uintptr_t)rip_arch_host_return;
	exit_ret->sp = (uintptr_t)kill->stop.way.host_sp;
	exit_ret->rax = RIP_EVENT_KILLED;
	return RIP_FAULT_LEAVE;
}

/* Whether the thread is in a part of the runtime that holds something. */
static bool is_holding(const struct rip_kill *kill)
{
	return kill->busy != 0 || *kill->recording || rip_port_is_holding();
}

/* Whether the thread stands on the guest's stack, in neither a switch, nor a hook, nor such a part. */
static bool may_stop(const struct rip_kill *kill, const struct rip_context *at)
{
	uint64_t sp = at->reg[RIP_REG_SP], pc = at->reg[RIP_REG_PC];

	return rip_stack_holds(&kill->stop.stack, sp) && !rip_arch_is_switch(pc) && !rip_arch_is_hook(pc) &&
	       !is_holding(kill);
}

static enum rip_fault_answer stop_now(struct rip_kill *kill, uint32_t asked, const struct rip_context *at,
				      struct rip_fault_exit *exit_ret)
{
	enum rip_fault_answer answer = stop_here(kill, at, exit_ret);

	rip_kill_note_asked(kill);
	kill->stop.abandon = (asked & ASKED_ABANDON) != 0;
	if (kill->overflowing)
		exit_ret->rax = RIP_EVENT_LEFT;
	return answer;
}

/* Interrupted in a system call, which has given nothing. */
static bool is_blocked(const struct rip_context *at)
{
	const uint8_t *behind = (const uint8_t *)(uintptr_t)at->reg[RIP_REG_PC];

	return rip_arch_is_system_call(behind - RIP_ARCH_SYSTEM_CALL_SIZE) &&
	       at->reg[RIP_REG_RESULT] == (uint64_t)-EINTR;
}

/* The time is counted from the first look that waits. */
static bool in_time(uint64_t *since, uint64_t time)
{
	uint64_t now = rip_timer_now();

	if (*since == 0)
		*since = now;
	return now - *since < time;
}

struct rip_waits *rip_kill_waits(struct rip_kill *kill)
{
	struct rip_waits *waits = &looks_of(kill)->waits;

	if (!kill->pace.waited)
		*waits = (struct rip_waits){ 0 };
	kill->pace.waited = true;
	return waits;
}

static bool waits(struct rip_kill *kill, uint64_t time)
{
	struct rip_waits *waits = rip_kill_waits(kill);

	return in_time(&waits->since, time) || waits->looks++ < LOOKS_MIN;
}

bool rip_kill_time_is_over(struct rip_kill *kill)
{
	rip_cause cause;

	return rip_kill_asked_here(kill, &cause) & ASKED_ABANDON &&
	       !in_time(&rip_kill_waits(kill)->last_since, LAST_TIME);
}

/* A stub has recorded what it acquired only when it returns. What it waits for in libc may never come; the
 * rest comes to an end. */
static bool waits_for_library(struct rip_kill *kill, uint32_t asked, const struct rip_context *at,
			      uint64_t *slot_ret)
{
	bool stub = rip_stop_in_stub(&kill->stop, at, slot_ret);

	if (!stub && !rip_stop_in_library(&kill->stop, at, slot_ret))
		return false;
	if (asked & ASKED_ABANDON)
		return in_time(&rip_kill_waits(kill)->last_since, LAST_TIME);
	return waits(kill, stub && !is_blocked(at) ? STUB_TIME : WAITS_TIME);
}

/* A masked part is mostly over soon: what was on the way to the next poll, or a cleanup. */
static bool waits_for_masked(struct rip_kill *kill, const struct rip_look *look)
{
	if (look->landing != RIP_LANDING_MASKED || !look->reachable)
		return false;
	if (kill->step.brought_back || (kill->step.count > 0 && !kill->step.tired))
		return true;
	return waits(kill, WAITS_TIME);
}

static bool waits_for_poll(struct rip_kill *kill, const struct rip_look *look)
{
	if ((look->landing != RIP_LANDING_NEAR && look->landing != RIP_LANDING_UNWINDER) || kill->step.tired)
		return false;
	struct rip_waits *waits = rip_kill_waits(kill);
	return kill->step.count > 0 || kill->step.brought_back || in_time(&waits->runs_since, RUNS_TIME) ||
	       waits->runs++ < LOOKS_MIN;
}

/* A firm kill waits for what is over soon: the way to the next poll; a function of libc, which may hold a
 * lock; a stub. The last rung runs no cleanup, so that only the latter matter to it. */
static enum rip_fault_answer consider_firmly(struct rip_kill *kill, uint32_t asked, const struct rip_context *at,
					     struct rip_fault_exit *exit_ret)
{
	uint64_t slot;
	struct rip_look look = { .landing = RIP_LANDING_FOREIGN };

	if (kill->masks == 0 && kill->state == RIP_STATE_RUNNING && !(asked & ASKED_ABANDON))
		rip_stop_landing(&kill->stop, at, false, &looks_of(kill)->judged, &look);
	if (waits_for_poll(kill, &look))
		return rip_kill_get_out(kill, at, &look);
	if (waits_for_masked(kill, &look))
		return rip_kill_get_out(kill, at, &look);
	if (look.landing == RIP_LANDING_HERE || !waits_for_library(kill, asked, at, &slot))
		return stop_now(kill, asked, at, exit_ret);
	return slot ? rip_kill_hook_return(kill, slot) : RIP_FAULT_GO_ON;
}

static enum rip_fault_answer consider_softly(struct rip_kill *kill, uint32_t asked, const struct rip_context *at,
					     struct rip_fault_exit *exit_ret)
{
	struct rip_look look;

	if (kill->masks || kill->state != RIP_STATE_RUNNING)
		return RIP_FAULT_GO_ON;
	rip_stop_landing(&kill->stop, at, false, &looks_of(kill)->judged, &look);
	return look.landing == RIP_LANDING_HERE ? stop_now(kill, asked, at, exit_ret) :
						  rip_kill_get_out(kill, at, &look);
}

/* There is nobody who nudges again: where it cannot go on under control, it is stopped. */
static enum rip_fault_answer consider_overflow(struct rip_kill *kill, const struct rip_context *at,
					       struct rip_fault_exit *exit_ret)
{
	enum rip_fault_answer answer = RIP_FAULT_GO_ON;
	struct rip_look look;

	if (rip_kill_hook_stands(kill, at))
		return RIP_FAULT_GO_ON;
	rip_stop_landing(&kill->stop, at, true, &looks_of(kill)->judged, &look);
	if (look.landing != RIP_LANDING_HERE && look.reachable)
		answer = rip_kill_get_out(kill, at, &look);
	return answer == RIP_FAULT_STEP || rip_kill_hook_stands(kill, at) ? answer :
									       stop_now(kill, 0, at, exit_ret);
}

bool rip_kill_lands(const struct rip_kill *kill, const struct rip_context *at)
{
	struct rip_judged judged = { 0 };
	struct rip_look look;

	if (!may_stop(kill, at) || kill->masks || kill->state != RIP_STATE_RUNNING)
		return false;
	rip_stop_landing(&kill->stop, at, false, &judged, &look);
	return look.landing == RIP_LANDING_HERE;
}

enum rip_fault_answer rip_kill_stop_here(struct rip_kill *kill, const struct rip_context *at,
					  struct rip_fault_exit *exit_ret)
{
	rip_kill_note(kill, RIP_CAUSE_KILLED, ASKED_KILL);
	return stop_here(kill, at, exit_ret);
}

/* In a signal handler on the alternate stack, which may be the host's, for as long as all looks have found it
 * there. The last rung waits for such a one no longer than for libc. */
static bool stays_astray(struct rip_kill *kill, uint32_t asked, const struct rip_context *at)
{
	if (!(asked & ASKED_ABANDON) || is_holding(kill))
		return false;
	if (rip_fault_is_alternate(at->reg[RIP_REG_SP]))
		return !in_time(&rip_kill_waits(kill)->astray_since, LAST_TIME);
	rip_kill_waits(kill)->astray_since = 0;
	return false;
}

static enum rip_fault_answer consider(struct rip_kill *kill, const struct rip_context *at,
				      struct rip_fault_exit *exit_ret)
{
	rip_cause cause;
	uint32_t asked = rip_kill_asked_here(kill, &cause);

	kill->step.pending = false;
	if (!asked && !kill->overflowing)
		return RIP_FAULT_GO_ON;
	if (!may_stop(kill, at))
		return stays_astray(kill, asked, at) ? stop_now(kill, asked, at, exit_ret) : RIP_FAULT_GO_ON;
	if (asked & ASKED_FIRM)
		return consider_firmly(kill, asked, at, exit_ret);
	if (kill->overflowing)
		return consider_overflow(kill, at, exit_ret);
	return consider_softly(kill, asked, at, exit_ret);
}

/* In an on_stop, whose host is a guest: that is asked, too. There is no way to a poll through rip_run: only a firm kill
 * lands, once libc is left. */
static enum rip_fault_answer consider_shown(struct rip_kill *kill, const struct rip_context *at, struct rip_fault_exit *exit_ret)
{
	struct rip_kill *outer = kill_of(rip_kill_in_charge());
	rip_cause cause;
	uint64_t slot;

	if (outer == kill || kill->busy || outer->busy != kill->shown.outer_busy || *outer->recording ||
	    rip_port_is_holding() || !rip_stack_holds(&outer->stop.stack, at->reg[RIP_REG_SP]))
		return RIP_FAULT_PASS;
	uint32_t asked = rip_kill_asked_here(outer, &cause);
	if (!(asked & ASKED_FIRM) || waits_for_library(outer, asked, at, &slot))
		return RIP_FAULT_PASS;
	rip_kill_callbacks.end_show(rip_current);
	return stop_now(outer, asked, at, exit_ret);
}

/* What is judged holds for as long as each instruction is looked at. */
static void look_anew(struct rip_kill *kill)
{
	kill->step.count = 0;
	kill->step.tired = false;
	looks_of(kill)->judged = (struct rip_judged){ 0 };
}

/* All that are asked through this thread. */
static void have_heard(const struct rip_kill *kill)
{
	for (; kill; kill = kill_of(kill->outer))
		if (kill->slot)
			__atomic_store_n(&kill->slot->heard, 1, __ATOMIC_RELAXED);
}

static void have_looked(const struct rip_kill *kill, uint64_t since)
{
	uint64_t time = rip_timer_now() - since;

	for (; kill; kill = kill_of(kill->outer))
		if (kill->slot)
			__atomic_store_n(&kill->slot->look_time, time < UINT32_MAX ? (uint32_t)time : UINT32_MAX,
					 __ATOMIC_RELAXED);
}

enum rip_fault_answer rip_kill_take_nudge(enum rip_nudge why, const struct rip_context *at,
					   struct rip_fault_exit *exit_ret)
{
	struct rip_kill *kill = kill_of(rip_current);

	RIP_SYNC(NUDGED);
	have_heard(kill);
	if (!is_inside_kill(kill))
		return kill && kill->shown.active ? consider_shown(kill, at, exit_ret) : RIP_FAULT_PASS;
	kill->step.brought_back = why != RIP_NUDGE_SENT;
	if (kill->step.brought_back)
		RIP_SYNC(BACK);
	uint64_t now = rip_timer_now();
	if (!kill->step.pending && now >= looks_of(kill)->quiet_until)
		look_anew(kill);
	else if (!kill->step.pending)
		looks_of(kill)->judged = (struct rip_judged){ 0 };
	enum rip_fault_answer answer = consider(kill, at, exit_ret);
	kill->step.brought_back = false;
	have_looked(kill, now);
	RIP_SYNC(DECIDED);
	return answer;
}

enum rip_fault_answer rip_kill_take_step(struct rip_kill *kill, const struct rip_fault *fault,
					  struct rip_fault_exit *exit_ret)
{
	RIP_SYNC(STEPPED);
	if (!is_inside_kill(kill)) {
		kill->step.pending = false;
		return RIP_FAULT_GO_ON;
	}
	return consider(kill, &fault->context, exit_ret);
}

/* The unwind goes on from where the return leads. */
static enum rip_fault_answer come_back(struct rip_kill *kill, const struct rip_context *at, struct rip_fault_exit *exit_ret)
{
	kill->diverted = false;
	stop_here(kill, at, exit_ret);
	kill->stop.exact = false;
	exit_ret->rax = RIP_EVENT_RESUMED;
	return RIP_FAULT_LEAVE;
}

enum rip_fault_answer rip_kill_take_hook(struct rip_kill *kill, const struct rip_fault *fault,
					  struct rip_fault_exit *exit_ret)
{
	struct rip_context at = fault->context;
	uint64_t trap = (uint64_t)1 << (SIGTRAP - 1);

	RIP_SYNC(TRAPPED);
	exit_ret->block_trap = (rip_arch_hook_mask(kill->hook - 1) & trap) != 0;
	at.reg[RIP_REG_PC] = exit_ret->pc = rip_arch_hook_return(kill->hook - 1);
	rip_kill_unhook(kill);
	look_anew(kill);
	if (kill->diverted && is_inside_kill(kill))
		return come_back(kill, &at, exit_ret);
	return is_inside_kill(kill) ? consider(kill, &at, exit_ret) : RIP_FAULT_GO_ON;
}

enum rip_fault_answer rip_kill_take_overflow(struct rip_kill *kill, const struct rip_fault *fault,
					      struct rip_fault_exit *exit_ret)
{
	struct rip_look look;

	look_anew(kill);
	if (kill->busy || kill->state != RIP_STATE_RUNNING || kill->stop.stack.reserve_open)
		return RIP_FAULT_PASS;
	rip_stop_landing(&kill->stop, &fault->context, true, &looks_of(kill)->judged, &look);
	if (!look.reachable || rip_stack_open_reserve(&kill->stop.stack) != RIP_OK)
		return RIP_FAULT_PASS;
	kill->fault = *fault;
	kill->overflowing = true;
	rip_kill_unhook(kill);
	return consider_overflow(kill, &fault->context, exit_ret);
}
