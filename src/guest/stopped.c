/* SPDX-License-Identifier: MIT
 * guest: looks at a stopped guest, for outcome and report, and unwinds it. How it was stopped: take_fault.c. */
#include "guest/state.h"

#include <string.h>

#include "port/lock.h"
#include "port/port.h"
#include "report/causes.h"
#include "report/report.h"

/* --- Look -------------------------------------------------------------------------------------- */

static rip_cause cause_of_fault(const rip_guest *guest)
{
	if (guest->kill.fault.signal == SIGABRT)
		return RIP_CAUSE_ABORTED;
	return is_overflow(guest, &guest->kill.fault) ? RIP_CAUSE_OVERFLOW : RIP_CAUSE_FAULT;
}

static rip_outcome outcome_of(const rip_guest *guest, enum rip_event event)
{
	if (event == RIP_EVENT_FAULT)
		return (rip_outcome){ .cause = cause_of_fault(guest) };
	if (event == RIP_EVENT_THROWN)
		return (rip_outcome){ .cause = RIP_CAUSE_EXCEPTION };
	return guest->kill.leaving;
}

static void report_fault(rip_report *report, const struct rip_fault *fault)
{
	report->signal = fault->signal;
	report->signal_code = fault->code;
	report->has_address = fault->has_address;
	report->address = fault->address;
	report->access = fault->access;
}

static void report_foreign(rip_report *report, const struct rip_stop *stop)
{
	report->foreign_pc = rip_stop_obstacle(stop);
	report->foreign_module = report->foreign_pc && !rip_stop_has_table(report->foreign_pc - 1);
}

void rip_guest_look(rip_guest *guest, enum rip_event event)
{
	struct rip_memory memory = rip_stop_memory(&guest->kill.stop);
	rip_report *report = guest->report;
	bool begun = guest->told.is_begun;

	guest->told.is_begun = false;
	if (!begun)
		memset(report, 0, sizeof *report);
	guest->outcome = outcome_of(guest, event);
	if (event == RIP_EVENT_FAULT || guest->kill.leaving_by_fault)
		report_fault(report, &guest->kill.fault);
	guest->kill.leaving_by_fault = false;
	if (event == RIP_EVENT_THROWN)
		rip_stop_describe(&guest->kill.stop, &report->exception);
	report->cause = guest->outcome.cause;
	report->value = guest->outcome.value;
	report->rung = event == RIP_EVENT_KILLED || rip_cause_is(guest->outcome.cause, RIP_CAUSE_IS_KILL) ?
		       guest->kill.rung : RIP_RUNG_NONE;
	if (!begun) {
		report->pc = guest->kill.stop.at.reg[RIP_REG_PC];
		rip_report_code(report, &memory);
	}
	rip_report_walk(report, &guest->kill.stop.at, guest->kill.stop.exact, &memory);
	if (report->rung >= RIP_FIRM)
		report_foreign(report, &guest->kill.stop);
	guest->told.is_made = true;
}

void rip_guest_report_passing(rip_guest *guest)
{
	rip_report *report = guest->report;

	memset(report, 0, sizeof *report);
	guest->outcome = (rip_outcome){ .cause = RIP_CAUSE_FORCED };
	report->cause = guest->outcome.cause;
	report->walk_end = RIP_E_END;
	guest->told.is_made = true;
}

void rip_guest_report_refusal(rip_guest *guest)
{
	rip_report *report = guest->report;

	memset(report, 0, sizeof *report);
	guest->outcome = guest->kill.leaving;
	report->cause = guest->outcome.cause;
	report->rung = guest->kill.rung;
	guest->told.is_made = true;
}

/* --- Unwind ------------------------------------------------------------------------------------ */

struct noting {
	rip_report *report;
	uint32_t place;
};

static void note_fate(void *context, uint64_t cfa, rip_frame_fate fate)
{
	struct noting *noting = context;

	if (noting->report)
		rip_report_fate(noting->report, &noting->place, cfa, fate);
}

/* Cleanups need stack too: where little is left of it, they get the reserve. True if this opened it. */
static bool make_room(rip_guest *guest)
{
	uint64_t low = (uintptr_t)guest->kill.stop.stack.low;

	if (guest->kill.stop.stack.reserve_open || guest->kill.stop.at.reg[RIP_REG_SP] >= low + RIP_RESERVE_MIN)
		return false;
	return rip_stack_open_reserve(&guest->kill.stop.stack) == RIP_OK;
}

/* A hostcall's own stack comes first. */
static void report_unwound(rip_report *report, const struct rip_stop *stop,
			   const struct rip_stop_result *result)
{
	report->cleanups_run += result->cleanups_run;
	report->cleanups_failed += result->cleanups_failed;
	if (!report->abandoned)
		report->abandon_reason = result->reason;
	report->abandoned |= result->abandoned;
	if (result->cut) {
		report->cut = result->cut;
		report->cut_released += result->cut_released;
		report->cut_unknown |= result->cut_unknown;
	}
	if (result->rest)
		rip_report_abandoned(report, result->rest, (uintptr_t)stop->stack.top);
}

static void unwind(rip_guest *guest, const struct rip_segment_found *until, rip_report *report)
{
	struct noting noting = { .report = report };
	struct rip_stop_result result;

	guest->kill.busy = 0;
	guest->public_guest->ledger.busy = false;
	/* The guest may have blocked them; its cleanups may fault. Leaving a signal handler has opened
	 * them. */
	if (!guest->kill.signals_open)
		rip_fault_unblock(NULL);
	bool opened = make_room(guest) || guest->kill.overflowing;
	guest->kill.overflowing = false;
	guest->kill.stop.killed = rip_cause_is(guest->outcome.cause, RIP_CAUSE_IS_KILL) && !until;
	rip_stop_unwind(&guest->kill.stop, until, note_fate, &noting, &result);
	rip_port_drop_handlers((uintptr_t)rip_stack_floor(&guest->kill.stop.stack),
			       until ? until->sp : (uintptr_t)guest->kill.stop.stack.top);
	guest->kill.signals_open = false; /* its cleanups may have faulted, too */
	if (opened)
		rip_stack_close_reserve(&guest->kill.stop.stack);
	if (result.has_mask && result.rest == 0) /* a damaged stack may say anything */
		rip_port_unblock_to(result.mask);
	if (report)
		report_unwound(report, &guest->kill.stop, &result);
	if (report && rip_cause_is(report->cause, RIP_CAUSE_IS_KILL)) /* a cleanup may have taken it further */
		report->rung = guest->kill.rung;
}

void rip_guest_unwind(rip_guest *guest)
{
	unwind(guest, NULL, guest->report);
}

/* --- rip_call ---------------------------------------------------------------------------------- */

/* Of a hostcall's own stack, the guest that made the call tells. */
static void show_report(rip_guest *guest)
{
	if (guest->public_guest != guest) {
		*guest->public_guest->report = *guest->report;
		guest->public_guest->told.is_made = true;
	}
}

/* In a cleanup of a guest that is being unwound, the report is the unwinding's. */
static void unwind_segment(rip_guest *guest, const struct rip_segment_found *segment,
			   const rip_outcome *outcome)
{
	rip_state state = guest->kill.state;

	guest->kill.state = RIP_STATE_UNWINDING;
	unwind(guest, segment, state == RIP_STATE_UNWINDING ? NULL : guest->report);
	guest->kill.state = state;
	guest->kill.leaving = *outcome;
}

const struct rip_context *rip_guest_catch(struct rip_stop *stop, enum rip_event event)
{
	rip_guest *guest = (rip_guest *)(void *)stop;
	guest->kill.busy = 0; /* what it stood in is left */
	guest->public_guest->ledger.busy = false;
	rip_lock_give_all();
	if (event == RIP_EVENT_KILLED && guest->kill.state == RIP_STATE_UNWINDING)
		rip_kill_next_cleanup(&guest->kill);
	rip_outcome outcome = outcome_of(guest, event);
	struct rip_segment_found segment;
	bool nested = guest->kill.state == RIP_STATE_UNWINDING;

	if (!rip_cause_is(outcome.cause, RIP_CAUSE_IS_FAILURE) || !rip_stop_find_segment(stop, &segment))
		return NULL;
	if (!nested)
		rip_guest_look(guest, event);
	unwind_segment(guest, &segment, &outcome);
	if (!nested)
		show_report(guest);
	guest->kill.masks = segment.masks;
	return rip_stop_segment(stop, &segment, event);
}
