/* SPDX-License-Identifier: MIT
 * guest: what it owns. */
#include "guest/kill.h"

/* Its stack is free now: what may fault runs there, as the guest's code did; not any more when the last rung's time is
 * over. */
static bool contain(void *context, intptr_t (*function)(void *), void *argument)
{
	rip_guest *guest = context;
	intptr_t value = guest->stop.way.value; /* what the guest returned */

	if (rip_guest_time_is_over(guest))
		return false;
	enum rip_event event = rip_stop_enter(&guest->stop, function, argument, guest->stop.stack.top);
	guest->stop.way.value = value;
	return event == RIP_EVENT_RETURNED;
}

void rip_guest_reclaim_inside(rip_guest *guest, bool flush)
{
	if (rip_ledger_is_empty(&guest->ledger))
		return;
	if (!guest->reported)
		rip_guest_report_return(guest);
	guest->reported = true;
	rip_fault_unblock(NULL); /* as for cleanups */
	rip_ledger_reclaim(&guest->ledger, flush, contain, guest, &guest->report->reclaimed);
}

rip_status rip_guest_reclaim(rip_guest *guest, bool flush)
{
	if (!guest)
		return RIP_E_ARGUMENT;
	if (guest->state != RIP_STATE_ENDED)
		return RIP_E_STATE;
	rip_guest *outer = rip_current;
	guest->outer = outer;
	rip_current = guest;
	rip_guest_reclaim_inside(guest, flush);
	rip_current = outer;
	return RIP_OK;
}
