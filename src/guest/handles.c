/* SPDX-License-Identifier: MIT
 * guest: handles and deadlines: the public functions. */
#include "guest/state.h"

rip_status rip_get_handle(rip_guest *guest, rip_handle *handle_ret)
{
	if (!is_guest(guest) || !handle_ret)
		return RIP_E_ARGUMENT;
	rip_status status = rip_kill_watch(guest, &guest->options);
	if (status == RIP_OK)
		*handle_ret = rip_slot_handle(guest->kill.slot);
	return status;
}

rip_status rip_set_deadline(rip_guest *guest, uint64_t from_now)
{
	if (!is_guest(guest))
		return RIP_E_ARGUMENT;
	if (guest->kill.state == RIP_STATE_ENDED)
		return RIP_E_GONE;
	rip_status status = rip_kill_watch(guest, &guest->options);
	if (status != RIP_OK)
		return status;
	rip_guest *caller = begin_call(WATCH_STACK);
	rip_kill_set_deadline(&guest->kill, from_now);
	end_busy(caller);
	return RIP_OK;
}
