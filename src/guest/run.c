/* SPDX-License-Identifier: MIT
 * guest: onto a guest's stack and back: run, yield, resume, unwind. */
#include "guest/state.h"

#include <pthread.h>

#include "base/probe.h"
#include "base/sync.h"
#include "fault/frozen.h"
#include "port/port.h"
#include "report/causes.h"
#include "stop/turn.h"

#define INLINE static inline __attribute__((always_inline))

/* --- Threads ----------------------------------------------------------------------------------- */

/* What these functions need of the stack that they are called on, at most. */
enum { ENGINE_STACK = 16 * 1024 };

/* An overflow while an inner guest is being unwound would be nobody's: so there must be room before. */
static bool room_to_run(void)
{
	const uint8_t *sp = __builtin_frame_address(0);
	const struct rip_stack *stack = &rip_current->kill.stop.stack;

	return !rip_stack_holds(stack, (uintptr_t)sp) || sp - rip_stack_floor(stack) >= ENGINE_STACK;
}

static inline rip_status prepare(void)
{
	if (__builtin_expect(rip_current != NULL, 0) && !room_to_run())
		return rip_port_fail(RIP_E_NOMEM, "room on the calling guest's stack", 0);
	return __builtin_expect(rip_fault_thread.ready, 1) ? RIP_OK : rip_fault_prepare_thread();
}

void rip_thread_changed(void)
{
	rip_fault_forget_thread();
}

/* A fault whose signal is blocked kills the process. */
static bool open_mask(const rip_guest *guest, sigset_t *mask_ret)
{
	if (__builtin_expect(!guest->kill.saves_mask && rip_fault_thread.open, 1))
		return false;
	rip_fault_unblock(mask_ret);
	return true;
}

static void close_mask(bool opened, const sigset_t *mask)
{
	if (opened)
		pthread_sigmask(SIG_SETMASK, mask, NULL);
}

/* The thread's alternate stack is to be one on which the guest's faults can be told. */
static inline rip_status borrow(const rip_guest *guest, struct rip_fault_loan *loan)
{
	bool nudged = rip_fault_thread.narrow && guest->kill.slot;
	bool in_handler = rip_fault_on_alternate() ||
			  (rip_current && !rip_stack_holds(&rip_current->kill.stop.stack, rip_arch_sp()));

	loan->map = NULL;
	if (__builtin_expect(!rip_fault_thread.borrows && !in_handler && !nudged, 1))
		return RIP_OK;
	return rip_fault_borrow(nudged, loan);
}

static inline void give_back(struct rip_fault_loan *loan)
{
	if (__builtin_expect(loan->map != NULL, 0))
		rip_fault_give_back(loan);
}

/* Host state saved while the thread is on a guest's stack. */
struct visit {
	bool opened;
	rip_guest *caller;
	sigset_t mask;
	struct rip_fault_loan loan;
};

static inline bool is_watched(const rip_guest *guest)
{
	return guest->kill.rare_flags || guest->kill.slot;
}

/* True if there is nothing else to look at: a host's thread that is prepared, and a guest that is not
 * watched. */
static inline bool is_plain(const rip_guest *guest)
{
	return __builtin_expect(!rip_current && rip_fault_thread.plain && !is_watched(guest) &&
				!rip_fault_on_alternate(), 1);
}

/* `plain` is a constant, here and below, so that a plain turn has no code for the other kind. */
INLINE rip_status begin_visit(rip_guest *guest, struct visit *visit, bool plain)
{
	if (plain)
		return RIP_OK;
	visit->caller = begin_busy();
	rip_status status = prepare();
	if (status == RIP_OK)
		status = borrow(guest, &visit->loan);
	if (status == RIP_OK)
		visit->opened = open_mask(guest, &visit->mask);
	else
		end_busy(visit->caller);
	return status;
}

INLINE void end_visit(rip_guest *guest, struct visit *visit, bool plain)
{
	if (!plain) {
		close_mask(visit->opened, &visit->mask);
		give_back(&visit->loan);
		end_busy(visit->caller);
	}
	rip_stop_pass_on(&guest->kill.stop);
}

/* The same, with a result for the caller. An outer guest that is to end does so before anything can stop it in another
 * way; a plain visit has none. */
INLINE void end_visit_with(rip_guest *guest, struct visit *visit, const rip_outcome *outcome,
			   rip_outcome *outcome_ret)
{
	close_mask(visit->opened, &visit->mask);
	give_back(&visit->loan);
	*outcome_ret = *outcome;
	rip_guest_end_outer(guest);
	end_busy(visit->caller);
	rip_stop_pass_on(&guest->kill.stop);
}

/* --- Turns ------------------------------------------------------------------------------------- */

static __attribute__((noinline)) bool enter_watched(rip_guest *guest)
{
	guest->kill.signals_open = false;
	if (guest->kill.slot)
		rip_kill_begin_turn(&guest->kill);
	return !rip_kill_is_asked(&guest->kill);
}

/* The guest becomes this thread's. False: it was asked for its end, or for that of a guest that it would run
 * inside of. Stores are what a switch spends its time on: those that change nothing are left out, here and
 * below. */
INLINE bool enter(rip_guest *guest, bool plain)
{
	uint64_t words = rip_fault_thread.words & guest->trusted_words;
	bool asked = false;

	if (guest->kill.outer != rip_current)
		guest->kill.outer = rip_current;
	if (guest->kill.stop.way.words != words)
		guest->kill.stop.way.words = words;
	guest->kill.state = RIP_STATE_RUNNING;
	rip_current = guest;
	if (plain)
		rip_ledger_enter_first(&guest->ledger);
	else
		rip_guest_enter_ledger(guest);
	if (!plain && (guest->kill.rare_flags || guest->kill.slot || guest->kill.outer))
		asked = !enter_watched(guest);
	RIP_SYNC(LOOKED);
	return !asked;
}

/* It overflowed, and came to its end all the same. */
static void end_overflow(rip_guest *guest)
{
	guest->kill.overflowing = false;
	rip_stack_close_reserve(&guest->kill.stop.stack);
}

static __attribute__((noinline)) void leave_watched(rip_guest *guest, rip_state state)
{
	if (guest->kill.slot)
		rip_kill_end_turn(&guest->kill);
	if (guest->kill.hook || guest->kill.passed)
		rip_kill_end_hooks(&guest->kill);
	if (state == RIP_STATE_ENDED && guest->kill.overflowing)
		end_overflow(guest);
	if (state == RIP_STATE_ENDED && guest->kill.slot && !guest->program)
		rip_kill_end_life(&guest->kill);
}

INLINE void leave(rip_guest *guest, rip_state state)
{
	if (__builtin_expect(is_watched(guest), 0))
		leave_watched(guest, state);
	rip_current = guest->kill.outer;
	rip_guest_leave_ledger(guest);
	guest->kill.state = state;
}

/* A program's handlers run when its main has ended: it reclaims itself (program/run_program.c). */
static void reclaim(rip_guest *guest)
{
	rip_cause cause = guest->outcome.cause;

	rip_guest_leave_ledger(guest);
	if (!guest->program)
		rip_guest_reclaim_inside(guest, rip_cause_is(cause, RIP_CAUSE_IS_END));
}

/* --- The end of a turn ------------------------------------------------------------------------- */

/* The host may have a look of its own. */
static void show(rip_guest *guest)
{
	if (!guest->options.on_stop)
		return;
	guest->kill.state = RIP_STATE_STOPPED;
	guest->kill.shown.outer_busy = guest->kill.outer ? guest->kill.outer->kill.busy : 0;
	guest->kill.shown.active = true;
	rip_guest_leave_ledger(guest);
	guest->options.on_stop(guest, guest->options.on_stop_context);
	rip_guest_enter_ledger(guest);
	guest->kill.shown.active = false;
}

static void end_show(rip_guest *guest)
{
	leave(guest, RIP_STATE_STOPPED);
	guest->kill.busy = 0;
	guest->kill.shown.active = false;
}

const struct rip_kill_callbacks rip_kill_callbacks = { end_show };

static void finish(rip_guest *guest)
{
	guest->kill.state = RIP_STATE_UNWINDING;
	RIP_SYNC(UNWINDS);
	rip_kill_begin_unwinding(&guest->kill);
	rip_guest_unwind(guest);
	guest->kill.stop.abandon = false;
	guest->kill.masks = 0;
	guest->cleanup_end.is_asked = false;
	reclaim(guest);
	leave(guest, RIP_STATE_ENDED);
}

static void take_stop(rip_guest *guest, enum rip_event event)
{
	guest->stopped_sp = guest->kill.stop.at.reg[RIP_REG_SP];
	rip_stack_reached(&guest->kill.stop.stack, guest->stopped_sp);
	rip_guest_look(guest, event);
	rip_cause cause = guest->outcome.cause;
	guest->frozen.resumable = guest->frozen.state && guest->frozen.kept && event == RIP_EVENT_FAULT &&
			   rip_cause_is(cause, RIP_CAUSE_IS_RESUMABLE);
	show(guest);
	if (guest->options.hold || guest->options.resumable)
		leave(guest, RIP_STATE_STOPPED);
	else
		finish(guest);
}

static void take_return(rip_guest *guest)
{
	rip_stop_settle_exceptions(&guest->kill.stop, NULL);
	guest->outcome.cause = RIP_CAUSE_RETURNED;
	guest->outcome.value = guest->kill.stop.way.value;
	guest->outcome.type = NULL;
	guest->told.is_made = false;
	if (guest->kill.masks)
		guest->kill.masks = 0;
	reclaim(guest);
	leave(guest, RIP_STATE_ENDED);
}

/* One by one: a load of two fields that were just stored one by one waits until they have reached the
 * cache. */
static inline void copy_outcome(rip_outcome *to, rip_cause cause, const rip_outcome *from)
{
	intptr_t value = from->value;
	const rip_type *type = from->type;

	__asm__("" : "+r"(value), "+r"(type));
	to->cause = cause;
	to->value = value;
	to->type = type;
}

/* It ends before anything of it ran. */
static void take_refusal(rip_guest *guest, rip_outcome *outcome_ret)
{
	rip_guest_report_refusal(guest);
	leave(guest, RIP_STATE_ENDED);
	*outcome_ret = guest->outcome;
}

/* Another's forced unwind has left no frames. */
static void take_passing(rip_guest *guest)
{
	rip_guest_report_passing(guest);
	guest->public_guest->ledger.busy = false;
	rip_stop_settle_exceptions(&guest->kill.stop, NULL);
	guest->kill.masks = 0;
	leave(guest, RIP_STATE_ENDED);
}

/* Ends what enter and open_mask began. */
static inline void take_turn(rip_guest *guest, enum rip_event event, rip_outcome *outcome_ret)
{
	if (event == RIP_EVENT_YIELDED) {
		leave(guest, RIP_STATE_YIELDED);
		copy_outcome(outcome_ret, RIP_CAUSE_YIELDED, &guest->kill.leaving);
	} else if (event == RIP_EVENT_PASSING) {
		take_passing(guest);
		*outcome_ret = guest->outcome;
	} else if (event == RIP_EVENT_RETURNED) {
		take_return(guest);
		outcome_ret->cause = RIP_CAUSE_RETURNED;
		outcome_ret->value = guest->kill.stop.way.value;
		outcome_ret->type = NULL;
	} else {
		take_stop(guest, event);
		copy_outcome(outcome_ret, guest->outcome.cause, &guest->outcome);
	}
}

rip_guest *rip_guest_take_outer(rip_guest *guest)
{
	bool ends = guest->kill.end_outer;

	guest->kill.end_outer = false;
	return ends ? guest->kill.outer : NULL;
}

void rip_guest_end_outer(rip_guest *guest)
{
	if (__builtin_expect(guest->kill.end_outer, 0))
		rip_guest_leave(rip_guest_take_outer(guest));
}

/* --- Run --------------------------------------------------------------------------------------- */

INLINE enum rip_event begin_turn(rip_guest *guest, rip_function function, void *argument)
{
	return rip_stop_begin_turn(&guest->kill.stop, function, argument, guest->kill.stop.stack.top);
}

INLINE void run(rip_guest *guest, rip_function function, void *argument, rip_outcome *outcome_ret)
{
	if (guest->kill.slot)
		rip_kill_begin_life(&guest->kill, guest->options.deadline);
	if (enter(guest, false))
		take_turn(guest, begin_turn(guest, function, argument), outcome_ret);
	else
		take_refusal(guest, outcome_ret);
}

/* On a guest, what a call writes to in the end is to be there in the beginning. */
static inline void probe_outcome(rip_outcome *outcome_ret)
{
	if (__builtin_expect(rip_current != NULL, 0))
		rip_probe(outcome_ret, sizeof *outcome_ret);
}

static rip_status begin_run(rip_guest *guest, rip_function function, const rip_outcome *outcome_ret,
			    struct visit *visit)
{
	if (!guest || !function || !outcome_ret)
		return RIP_E_ARGUMENT;
	if (guest->kill.state != RIP_STATE_NEW)
		return RIP_E_STATE;
	return begin_visit(guest, visit, false);
}

rip_status rip_guest_run(rip_guest *guest, rip_function function, void *argument, rip_outcome *outcome_ret)
{
	struct visit visit;
	rip_status status = begin_run(guest, function, outcome_ret, &visit);

	if (status != RIP_OK)
		return status;
	run(guest, function, argument, outcome_ret);
	end_visit(guest, &visit, false);
	return RIP_OK;
}

rip_status rip_run(rip_guest *guest, rip_function function, void *argument, rip_outcome *outcome_ret)
{
	struct visit visit;
	rip_outcome outcome;

	if (!is_guest(guest) || !outcome_ret)
		return RIP_E_ARGUMENT;
	probe_outcome(outcome_ret);
	rip_status status = begin_run(guest, function, outcome_ret, &visit);
	if (status != RIP_OK)
		return status;
	run(guest, function, argument, &outcome);
	end_visit_with(guest, &visit, &outcome, outcome_ret);
	return RIP_OK;
}

/* A stack pointer that a fault left anywhere is no place to go on from. */
static void *place_to_go_on(const rip_guest *guest)
{
	const uint64_t red_zone = 128, align = 16;
	uint64_t top = (uintptr_t)guest->kill.stop.stack.top;

	if (guest->stopped_sp > (uintptr_t)guest->kill.stop.stack.low && guest->stopped_sp < top)
		top = (guest->stopped_sp - red_zone) & ~(align - 1);
	return (void *)top;
}

static void again(rip_guest *guest, rip_function function, void *argument, rip_outcome *outcome_ret)
{
	enum rip_event event = rip_stop_enter(&guest->kill.stop, function, argument, place_to_go_on(guest));

	if (event == RIP_EVENT_RETURNED) {
		*outcome_ret = guest->outcome;
		leave(guest, RIP_STATE_ENDED);
	} else {
		take_turn(guest, event, outcome_ret);
	}
}

rip_status rip_guest_again(rip_guest *guest, rip_function function, void *argument,
			   rip_outcome *outcome_ret)
{
	struct visit visit;

	if (!guest || !function || !outcome_ret)
		return RIP_E_ARGUMENT;
	if (guest->kill.state != RIP_STATE_ENDED)
		return RIP_E_STATE;
	rip_guest_discard(guest);
	rip_status status = begin_visit(guest, &visit, false);
	if (status != RIP_OK)
		return status;
	if (enter(guest, false))
		again(guest, function, argument, outcome_ret);
	else
		take_refusal(guest, outcome_ret);
	end_visit(guest, &visit, false);
	return RIP_OK;
}

/* --- Yield and resume -------------------------------------------------------------------------- */

RIP_RETURNS_BY_JUMP
rip_status rip_yield(const rip_type *type, intptr_t value, const rip_type *wanted, intptr_t *value_ret)
{
	rip_guest *guest = rip_current;

	if (!is_inside(guest) || guest->kill.state != RIP_STATE_RUNNING || guest->public_guest != guest)
		return RIP_E_STATE;
	guest->kill.leaving.value = value;
	if (guest->kill.leaving.type != type)
		guest->kill.leaving.type = type;
	if (guest->exchange.wanted != wanted)
		guest->exchange.wanted = wanted;
	rip_stop_yield(&guest->kill.stop);
	if (value_ret)
		*value_ret = guest->exchange.sent;
	return RIP_OK;
}

/* As leave, after take_turn's YIELDED. */
INLINE void leave_plainly(rip_guest *guest, rip_outcome *outcome_ret)
{
	rip_current = NULL;
	rip_ledger_leave(NULL);
	guest->kill.state = RIP_STATE_YIELDED;
	copy_outcome(outcome_ret, RIP_CAUSE_YIELDED, &guest->kill.leaving);
}

INLINE enum rip_event resume(rip_guest *guest, intptr_t value, bool plain)
{
	enum rip_event event = RIP_EVENT_LEFT;

	guest->exchange.sent = value;
	if (enter(guest, plain))
		event = rip_stop_go_on_turn(&guest->kill.stop, &guest->kill.stop.at);
	return event;
}

INLINE rip_status resume_plainly(rip_guest *guest, intptr_t value, rip_outcome *outcome_ret)
{
	struct visit visit;
	enum rip_event event = resume(guest, value, true);

	if (__builtin_expect(event == RIP_EVENT_YIELDED && !is_watched(guest), 1)) {
		leave_plainly(guest, outcome_ret);
		return RIP_OK;
	}
	take_turn(guest, event, outcome_ret);
	end_visit(guest, &visit, true);
	return RIP_OK;
}

RIP_RETURNS_BY_JUMP
static __attribute__((noinline)) rip_status resume_watched(rip_guest *guest, intptr_t value,
							   rip_outcome *outcome_ret)
{
	struct visit visit;
	rip_outcome outcome;

	probe_outcome(outcome_ret);
	rip_status status = begin_visit(guest, &visit, false);
	if (status != RIP_OK)
		return status;
	take_turn(guest, resume(guest, value, false), &outcome);
	end_visit_with(guest, &visit, &outcome, outcome_ret);
	return RIP_OK;
}

RIP_RETURNS_BY_JUMP
rip_status rip_resume(rip_guest *guest, const rip_type *type, intptr_t value, rip_outcome *outcome_ret)
{
	if (!is_guest(guest) || !outcome_ret)
		return RIP_E_ARGUMENT;
	if (guest->kill.state != RIP_STATE_YIELDED)
		return RIP_E_STATE;
	if (guest->exchange.wanted && type != guest->exchange.wanted)
		return RIP_E_TYPE;
	if (!is_plain(guest))
		return resume_watched(guest, value, outcome_ret);
	return resume_plainly(guest, value, outcome_ret);
}

/* --- Going on after a fault --- */

/* On the way there, the stack is not one that a signal's handler could run on; the guest's own mask comes
 * back with all the rest. */
RIP_RETURNS_BY_JUMP
static enum rip_event go_on(rip_guest *guest)
{
	struct rip_context way = guest->kill.stop.at;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	rip_frozen_way(guest->frozen.state, &way);
	return rip_stop_land(&guest->kill.stop, &way);
}

rip_status rip_continue(rip_guest *guest, rip_outcome *outcome_ret)
{
	enum rip_event event = RIP_EVENT_LEFT;
	struct visit visit;
	rip_outcome outcome;

	if (!is_guest(guest) || !outcome_ret)
		return RIP_E_ARGUMENT;
	if (!rip_is_resumable(guest) || guest->kill.shown.active)
		return RIP_E_STATE;
	probe_outcome(outcome_ret);
	rip_status status = begin_visit(guest, &visit, false);
	if (status != RIP_OK)
		return status;
	guest->frozen.resumable = guest->told.is_made = guest->kill.signals_open = false;
	if (enter(guest, false))
		event = go_on(guest);
	take_turn(guest, event, &outcome);
	end_visit_with(guest, &visit, &outcome, outcome_ret);
	return RIP_OK;
}

/* --- Ends -------------------------------------------------------------------------------------- */

/* What a guest that yielded is stopped as. */
static void look_at_yielded(rip_guest *guest)
{
	if (!rip_kill_is_asked(&guest->kill)) {
		guest->kill.leaving = (rip_outcome){ .cause = RIP_CAUSE_KILLED };
		guest->kill.rung = RIP_SOFT;
	}
	guest->stopped_sp = guest->kill.stop.at.reg[RIP_REG_SP];
	rip_guest_look(guest, RIP_EVENT_LEFT);
}

rip_status rip_guest_finish(rip_guest *guest)
{
	struct visit visit;

	if ((guest->kill.state != RIP_STATE_YIELDED && guest->kill.state != RIP_STATE_STOPPED) || guest->kill.shown.active)
		return RIP_E_STATE;
	rip_status status = begin_visit(guest, &visit, false);
	if (status != RIP_OK)
		return status;
	bool yielded = guest->kill.state == RIP_STATE_YIELDED;
	enter(guest, false);
	if (yielded)
		look_at_yielded(guest);
	finish(guest);
	end_visit(guest, &visit, false);
	return RIP_OK;
}

rip_status rip_unwind(rip_guest *guest, rip_outcome *outcome_ret)
{
	if (!is_guest(guest) || !outcome_ret)
		return RIP_E_ARGUMENT;
	probe_outcome(outcome_ret);
	rip_guest *caller = begin_busy();
	rip_status status = rip_guest_finish(guest);
	if (status == RIP_OK) {
		*outcome_ret = guest->outcome;
		rip_guest_end_outer(guest);
	}
	end_busy(caller);
	return status;
}

/* --- Exceptions -------------------------------------------------------------------------------- */

void rip_guest_discard(rip_guest *guest)
{
	struct rip_fault_loan loan;
	sigset_t mask;

	if (!guest->kill.stop.thrown || prepare() != RIP_OK || borrow(guest, &loan) != RIP_OK)
		return;
	bool opened = open_mask(guest, &mask);
	guest->kill.outer = rip_current;
	rip_current = guest;
	rip_stop_discard(&guest->kill.stop);
	rip_current = guest->kill.outer;
	close_mask(opened, &mask);
	give_back(&loan);
	rip_stop_pass_on(&guest->kill.stop);
}

/* Of the guest that runs here, a segment's (rip_call) is meant. */
rip_status rip_rethrow(rip_guest *guest)
{
	if (!is_guest(guest))
		return RIP_E_ARGUMENT;
	bool may = guest->kill.state == RIP_STATE_ENDED || (guest == rip_current && is_inside(guest));
	return may ? rip_stop_rethrow(&guest->kill.stop) : RIP_E_STATE;
}
