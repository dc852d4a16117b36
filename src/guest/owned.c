/* SPDX-License-Identifier: MIT
 * guest: runs the ledger's reclaim on the guest's stack. */
#include "guest/state.h"
#include "ripcord/step.h"

/* Its stack is free now: what may fault runs there, as the guest's code did; not any more when the last rung's time is
 * over. */
static bool contain(void *context, intptr_t (*function)(void *), void *argument)
{
	rip_guest *guest = context;
	intptr_t value = guest->kill.stop.way.value; /* what the guest returned */

	if (rip_kill_time_is_over(&guest->kill))
		return false;
	enum rip_event event = rip_stop_enter(&guest->kill.stop, function, argument, guest->kill.stop.stack.top);
	guest->kill.stop.way.value = value;
	return event == RIP_EVENT_RETURNED;
}

void rip_guest_reclaim_inside(rip_guest *guest, bool flush)
{
	if (rip_ledger_is_empty(&guest->ledger))
		return;
	if (!guest->told.is_made)
		rip_guest_report_return(guest);
	guest->told.is_made = true;
	rip_fault_unblock(NULL); /* as for cleanups */
	rip_ledger_reclaim(&guest->ledger, flush, contain, guest, &guest->report->reclaimed);
}

rip_status rip_guest_reclaim(rip_guest *guest, bool flush)
{
	if (!guest)
		return RIP_E_ARGUMENT;
	if (guest->kill.state != RIP_STATE_ENDED)
		return RIP_E_STATE;
	rip_guest *outer = rip_current;
	guest->kill.outer = outer;
	rip_current = guest;
	rip_guest_reclaim_inside(guest, flush);
	rip_current = outer;
	return RIP_OK;
}

rip_release_hook rip_set_release_hook(rip_release_hook hook)
{
	return __atomic_exchange_n(&rip_ledger_release_hook, hook, __ATOMIC_ACQ_REL);
}
