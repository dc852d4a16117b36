/* SPDX-License-Identifier: MIT
 * guest: ends that code on a guest's stack asks for: of this guest, or of one that it runs inside of. */
#include "guest/state.h"

void rip_guest_leave(rip_guest *guest)
{
	rip_stop_leave(&guest->kill.stop, RIP_EVENT_LEFT);
}

/* Those in between must be where they can end, too: a guest whose on_stop runs another is not. */
static bool runs_here(const rip_guest *guest)
{
	const rip_guest *inner = rip_current;

	while (is_inside(inner) && inner != guest)
		inner = inner->kill.outer;
	return is_inside(inner);
}

/* In a cleanup, what is being unwound is unwound first. */
static void ask_to_end(rip_guest *guest, rip_outcome end)
{
	guest->kill.leaving = end;
	if (guest->kill.state == RIP_STATE_UNWINDING) {
		guest->cleanup_end.is_asked = true;
		guest->cleanup_end.outcome = end;
	}
}

rip_status rip_exit_guest(rip_guest *guest, const rip_type *type, intptr_t value)
{
	rip_guest *inner = rip_current;

	if (!guest)
		return RIP_E_ARGUMENT;
	if (!runs_here(guest))
		return RIP_E_STATE;
	begin_busy(); /* a kill in between would leave half of it */
	for (; inner != guest; inner = inner->kill.outer) {
		ask_to_end(inner, (rip_outcome){ .cause = RIP_CAUSE_OUTER });
		inner->kill.end_outer = true;
	}
	ask_to_end(guest, (rip_outcome){ .cause = RIP_CAUSE_EXITED, .value = value, .type = type });
	rip_guest_leave(rip_current);
}

rip_status rip_exit(intptr_t value)
{
	rip_guest *guest = rip_self();

	return guest ? rip_exit_guest(guest, NULL, value) : RIP_E_STATE;
}

rip_status rip_abort(void)
{
	rip_guest *guest = rip_current;

	if (!is_inside(guest))
		return RIP_E_STATE;
	guest->kill.leaving = (rip_outcome){ .cause = RIP_CAUSE_ABORTED };
	rip_guest_leave(guest);
}
