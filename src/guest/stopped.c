/* SPDX-License-Identifier: MIT
 * guest: what happens to a guest that was stopped: it is looked at, and unwound. */
#include "guest/kill.h"

#include <string.h>

#include "base/sync.h"
#include "fault/frozen.h"
#include "port/lock.h"
#include "port/port.h"
#include "report/report.h"

/* --- In the signal handler --------------------------------------------------------------------- */

static bool overflows(const rip_guest *guest, const struct rip_fault *fault)
{
	return fault->has_address && rip_stack_overflowed(&guest->stop.stack, fault->address,
							  fault->context.reg[RIP_REG_RSP]);
}

/* The host's own code on the guest's stack: its faults are not the guest's, but for the end of the stack. */
static bool is_hosts(const rip_guest *guest, const struct rip_fault *fault)
{
	const struct rip_domain *domain;

	if (guest->options.contain_hostcalls || overflows(guest, fault))
		return false;
	domain = rip_stop_domain_alive(&guest->stop, &fault->context, fault->exact);
	return domain && domain->kind == RIP_DOMAIN_HOST;
}

struct question {
	rip_guest *guest;
	const rip_fault_info *info;
};

static intptr_t call_on_fault(void *argument)
{
	const struct question *question = argument;
	const rip_options *options = &question->guest->options;

	return options->on_fault(question->guest->face, question->info, options->on_fault_context);
}

/* The embedder's word comes first. */
static rip_fault_action ask(rip_guest *guest, const struct rip_fault *fault)
{
	if (!guest->options.on_fault)
		return RIP_ON_FAULT_STOP;
	rip_fault_info info = {
		.signal = fault->signal, .code = fault->code,
		.has_address = fault->has_address, .address = fault->address, .access = fault->access,
		.pc = fault->context.reg[RIP_REG_RIP], .overflow = overflows(guest, fault),
		.siginfo = fault->siginfo, .ucontext = fault->ucontext,
	};

	struct question question = { guest, &info };
	return (rip_fault_action)rip_fault_call_host(fault, call_on_fault, &question);
}

/* The flag is not only in the register. A pushf that was stepped over has kept it, and its popf sets it
 * once more. A handler of the host's that came before the instruction has it in its frame, whatever nudges
 * decide until it returns. */
static bool is_step(const rip_guest *guest, const struct rip_fault *fault)
{
	return fault->signal == SIGTRAP && fault->exact && guest->stepped;
}

/* What is kept of the fault is looked at on the host's stack. */
enum rip_fault_answer rip_guest_take_fault(const struct rip_fault *fault, struct rip_fault_exit *exit_ret)
{
	rip_guest *guest = rip_current;

	if (guest && rip_guest_is_hooked(guest, fault))
		return rip_guest_take_hook(guest, fault, exit_ret);
	if (guest && is_step(guest, fault))
		return rip_guest_take_step(guest, fault, exit_ret);
	guest = rip_guest_in_charge();
	if (!is_inside(guest) || is_hosts(guest, fault))
		return RIP_FAULT_PASS;
	rip_fault_action action = ask(guest, fault);
	if (action != RIP_ON_FAULT_STOP)
		return action == RIP_ON_FAULT_CONTINUE ? RIP_FAULT_GO_ON : RIP_FAULT_PASS;
	RIP_SYNC(FAULTED);
	guest->stepping = false;
	if (overflows(guest, fault)) {
		enum rip_fault_answer answer = rip_guest_take_overflow(guest, fault, exit_ret);
		if (answer != RIP_FAULT_PASS)
			return answer;
	}
	if (guest != rip_current)
		rip_guest_end_show(rip_current);
	guest->stop.inside = false;
	guest->stop.at = fault->context;
	guest->stop.exact = fault->exact;
	guest->fault = *fault;
	guest->signals_open = true;
	if (guest->frozen)
		guest->froze = rip_frozen_keep(guest->frozen, guest->frozen_size, fault->ucontext);
	exit_ret->pc = (uintptr_t)rip_arch_host_return;
	exit_ret->sp = (uintptr_t)guest->stop.way.host_sp;
	exit_ret->rax = RIP_EVENT_FAULT;
	return RIP_FAULT_LEAVE;
}

/* --- Look -------------------------------------------------------------------------------------- */

static rip_cause cause_of_fault(const rip_guest *guest)
{
	if (guest->fault.signal == SIGABRT)
		return RIP_CAUSE_ABORTED;
	return overflows(guest, &guest->fault) ? RIP_CAUSE_OVERFLOW : RIP_CAUSE_FAULT;
}

static rip_outcome outcome_of(const rip_guest *guest, enum rip_event event)
{
	if (event == RIP_EVENT_FAULT)
		return (rip_outcome){ .cause = cause_of_fault(guest) };
	if (event == RIP_EVENT_THROWN)
		return (rip_outcome){ .cause = RIP_CAUSE_EXCEPTION };
	return guest->leaving;
}

static void report_fault(rip_report *report, const struct rip_fault *fault)
{
	report->signal = fault->signal;
	report->signal_code = fault->code;
	report->has_address = fault->has_address;
	report->address = fault->address;
	report->access = fault->access;
}

static bool is_kill(rip_cause cause)
{
	return cause == RIP_CAUSE_KILLED || cause == RIP_CAUSE_DEADLINE || cause == RIP_CAUSE_CPU;
}

static void report_foreign(rip_report *report, const struct rip_stop *stop)
{
	report->foreign_pc = rip_stop_obstacle(stop);
	report->foreign_module = report->foreign_pc && !rip_stop_has_table(report->foreign_pc - 1);
}

void rip_guest_look(rip_guest *guest, enum rip_event event)
{
	struct rip_memory memory = rip_stop_memory(&guest->stop);
	rip_report *report = guest->report;
	bool begun = guest->report_begun;

	guest->report_begun = false;
	if (!begun)
		memset(report, 0, sizeof *report);
	guest->outcome = outcome_of(guest, event);
	if (event == RIP_EVENT_FAULT || guest->leaving_by_fault)
		report_fault(report, &guest->fault);
	guest->leaving_by_fault = false;
	if (event == RIP_EVENT_THROWN)
		rip_stop_describe(&guest->stop, &report->exception);
	report->cause = guest->outcome.cause;
	report->value = guest->outcome.value;
	report->rung = event == RIP_EVENT_KILLED || is_kill(guest->outcome.cause) ?
		       guest->rung : RIP_RUNG_NONE;
	if (!begun) {
		report->pc = guest->stop.at.reg[RIP_REG_RIP];
		rip_report_code(report, &memory);
	}
	rip_report_walk(report, &guest->stop.at, guest->stop.exact, &memory);
	if (report->rung >= RIP_FIRM)
		report_foreign(report, &guest->stop);
	guest->reported = true;
}

void rip_guest_report_passing(rip_guest *guest)
{
	rip_report *report = guest->report;

	memset(report, 0, sizeof *report);
	guest->outcome = (rip_outcome){ .cause = RIP_CAUSE_FORCED };
	report->cause = guest->outcome.cause;
	report->walk_end = RIP_E_END;
	guest->reported = true;
}

void rip_guest_report_refusal(rip_guest *guest)
{
	rip_report *report = guest->report;

	memset(report, 0, sizeof *report);
	guest->outcome = guest->leaving;
	report->cause = guest->outcome.cause;
	report->rung = guest->rung;
	guest->reported = true;
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
	uint64_t low = (uintptr_t)guest->stop.stack.low;

	if (guest->stop.stack.reserve_open || guest->stop.at.reg[RIP_REG_RSP] >= low + RIP_RESERVE_MIN)
		return false;
	return rip_stack_open_reserve(&guest->stop.stack) == RIP_OK;
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

	guest->busy = 0;
	guest->face->ledger.busy = false;
	/* The guest may have blocked them; its cleanups may fault. Leaving a signal handler has opened
	 * them. */
	if (!guest->signals_open)
		rip_fault_unblock(NULL);
	bool opened = make_room(guest) || guest->overflowing;
	guest->overflowing = false;
	guest->stop.killed = is_kill(guest->outcome.cause) && !until;
	rip_stop_unwind(&guest->stop, until, note_fate, &noting, &result);
	rip_port_drop_handlers((uintptr_t)rip_stack_floor(&guest->stop.stack),
			       until ? until->sp : (uintptr_t)guest->stop.stack.top);
	guest->signals_open = false; /* its cleanups may have faulted, too */
	if (opened)
		rip_stack_close_reserve(&guest->stop.stack);
	if (result.has_mask && result.rest == 0) /* a damaged stack may say anything */
		rip_port_unblock_to(result.mask);
	if (report)
		report_unwound(report, &guest->stop, &result);
	if (report && is_kill(report->cause)) /* a cleanup may have taken it further */
		report->rung = guest->rung;
}

void rip_guest_unwind(rip_guest *guest)
{
	unwind(guest, NULL, guest->report);
}

/* --- rip_call ---------------------------------------------------------------------------------- */

static bool is_catchable(rip_cause cause)
{
	return cause == RIP_CAUSE_FAULT || cause == RIP_CAUSE_OVERFLOW || cause == RIP_CAUSE_ABORTED ||
	       cause == RIP_CAUSE_EXCEPTION;
}

/* Of a hostcall's own stack, the guest that made the call tells. */
static void show_report(rip_guest *guest)
{
	if (guest->face != guest) {
		*guest->face->report = *guest->report;
		guest->face->reported = true;
	}
}

/* In a cleanup of a guest that is being unwound, the report is the unwinding's. */
static void unwind_segment(rip_guest *guest, const struct rip_segment_found *segment,
			   const rip_outcome *outcome)
{
	rip_state state = guest->state;

	guest->state = RIP_STATE_UNWINDING;
	unwind(guest, segment, state == RIP_STATE_UNWINDING ? NULL : guest->report);
	guest->state = state;
	guest->leaving = *outcome;
}

const struct rip_context *rip_guest_catch(struct rip_stop *stop, enum rip_event event)
{
	rip_guest *guest = (rip_guest *)(void *)stop;
	guest->busy = 0; /* what it stood in is left */
	guest->face->ledger.busy = false;
	rip_lock_give_all();
	if (event == RIP_EVENT_KILLED && guest->state == RIP_STATE_UNWINDING)
		rip_guest_next_cleanup(guest);
	rip_outcome outcome = outcome_of(guest, event);
	struct rip_segment_found segment;
	bool nested = guest->state == RIP_STATE_UNWINDING;

	if (!is_catchable(outcome.cause) || !rip_stop_find_segment(stop, &segment))
		return NULL;
	if (!nested)
		rip_guest_look(guest, event);
	unwind_segment(guest, &segment, &outcome);
	if (!nested)
		show_report(guest);
	guest->masks = segment.masks;
	return rip_stop_segment(stop, &segment, event);
}
