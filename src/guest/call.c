/* SPDX-License-Identifier: MIT
 * guest: hostcalls, and guest code called from them. */
#include "guest/state.h"

struct hostcall {
	rip_function function;
	void *argument;
};

/* --- Hostcalls --------------------------------------------------------------------------------- */

/* Ends the guest because a hostcall has no stack. */
static void stop_without_room(rip_guest *guest)
{
	guest->kill.leaving = (rip_outcome){ .cause = RIP_CAUSE_OVERFLOW };
	rip_guest_leave(guest);
}

static intptr_t call_here(rip_guest *guest, rip_function function, void *argument)
{
	const uint8_t *sp = __builtin_frame_address(0), *floor = rip_stack_floor(&guest->kill.stop.stack);
	struct rip_domain domain = { .masks = guest->kill.masks };

	if (sp < floor || (size_t)(sp - floor) < guest->options.hostcall_room)
		stop_without_room(guest);
	rip_stop_call(&guest->kill.stop, &domain, RIP_DOMAIN_HOST, function, argument);
	return domain.segment.value;
}

/* On a stack of its own everything is host code, from the first instruction on. */
static intptr_t as_host(void *context)
{
	const struct hostcall *call = context;

	return call_here(rip_current, call->function, call->argument);
}

/* The report begins with the hostcall's own stack. In a cleanup of the guest's, it is the unwinding's. */
static void begin_report(rip_guest *guest, const rip_guest *own)
{
	if (!own->told.is_made || guest->kill.state == RIP_STATE_UNWINDING)
		return;
	*guest->report = *own->report;
	guest->told.is_begun = true;
}

/* The hostcall did not return: neither does this. */
static void end_with(rip_guest *guest, const rip_guest *own, const rip_outcome *outcome)
{
	if (outcome->cause != RIP_CAUSE_OUTER) {
		guest->kill.leaving = *outcome;
		guest->kill.fault = own->kill.fault;
		guest->kill.leaving_by_fault = own->told.is_made && own->report->signal != 0;
		if (outcome->cause != RIP_CAUSE_EXCEPTION)
			begin_report(guest, own);
	}
}

static intptr_t call_elsewhere(rip_guest *guest, rip_function function, void *argument)
{
	rip_options options = guest->options;
	struct hostcall call = { function, argument };
	rip_guest *own;
	rip_outcome outcome = { .cause = RIP_CAUSE_OVERFLOW };

	options.stack_size = guest->options.hostcall_stack;
	options.hostcall_stack = 0;
	options.hostcall_room = 1;
	options.hold = options.resumable = options.save_mask = false;
	options.on_stop = NULL;
	options.deadline = options.cpu_time = 0; /* the guest's go on */
	begin_busy();
	if (rip_create(&options, &own) != RIP_OK)
		stop_without_room(guest);
	own->public_guest = guest;
	own->kill.recording = &guest->ledger.busy;
	own->kill.is_part = true;
	if (rip_guest_run(own, as_host, &call, &outcome) != RIP_OK || outcome.cause != RIP_CAUSE_RETURNED)
		end_with(guest, own, &outcome);
	if (outcome.cause == RIP_CAUSE_EXCEPTION)
		rip_stop_take_thrown(&guest->kill.stop, &own->kill.stop);
	bool own_ends_others = own->kill.end_outer; /* else it was killed with the guest */
	rip_guest_destroy(own);
	/* Its callers can catch what a hostcall throws. */
	if (outcome.cause == RIP_CAUSE_EXCEPTION)
		rip_stop_rethrow(&guest->kill.stop);
	if (outcome.cause == RIP_CAUSE_OUTER && !own_ends_others)
		rip_kill_is_asked(&guest->kill);
	if (outcome.cause != RIP_CAUSE_RETURNED)
		rip_guest_leave(guest);
	end_busy(guest);
	return outcome.value;
}

intptr_t rip_hostcall(rip_function function, void *argument)
{
	rip_guest *guest = rip_current;

	if (!is_inside(guest))
		return function(argument);
	if (guest->options.hostcall_stack && guest->public_guest == guest)
		return call_elsewhere(guest, function, argument);
	return call_here(guest, function, argument);
}

/* --- Guest code in a hostcall ------------------------------------------------------------------ */

/* A cleanup of what was called wanted the guest to end. In a cleanup of the guest, it is ending anyway. */
static void end_if_asked(rip_guest *guest)
{
	if (!guest->cleanup_end.is_asked || guest->kill.state == RIP_STATE_UNWINDING)
		return;
	guest->cleanup_end.is_asked = false;
	guest->kill.leaving = guest->cleanup_end.outcome;
	rip_guest_leave(guest);
}

rip_status rip_call(rip_function function, void *argument, rip_outcome *outcome_ret)
{
	rip_guest *guest = rip_current;

	if (!function || !outcome_ret)
		return RIP_E_ARGUMENT;
	if (!is_inside(guest))
		return RIP_E_STATE;
	/* The return address lies above the frame pointer. */
	struct rip_domain domain = { .masks = guest->kill.masks,
				     .caller_sp = (uintptr_t)__builtin_frame_address(0) + 16 };
	enum rip_event event = rip_stop_call(&guest->kill.stop, &domain, RIP_DOMAIN_GUEST, function, argument);
	if (event == RIP_EVENT_RETURNED) {
		*outcome_ret = (rip_outcome){ .cause = RIP_CAUSE_RETURNED, .value = domain.segment.value };
		return RIP_OK;
	}
	end_if_asked(guest);
	*outcome_ret = guest->kill.leaving;
	return RIP_OK;
}

/* --- Masks ------------------------------------------------------------------------------------- */

rip_status rip_mask(void)
{
	rip_guest *guest = rip_current;

	if (!is_inside(guest))
		return RIP_E_STATE;
	guest->kill.masks++;
	return RIP_OK;
}

/* A kill that waited for this lands as soon as it can: the guest may mask again before anyone looks. */
rip_status rip_unmask(void)
{
	rip_guest *guest = rip_current;

	if (!is_inside(guest) || guest->kill.masks == 0)
		return RIP_E_STATE;
	if (--guest->kill.masks == 0 && (guest->kill.slot || guest->kill.outer))
		rip_kill_look_again(&guest->kill);
	return RIP_OK;
}
