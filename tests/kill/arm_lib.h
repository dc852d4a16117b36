/* SPDX-License-Identifier: MIT
 * Whether threads can be armed here (fault/arm.h). */
#ifndef TEST_KILL_ARM_LIB_H
#define TEST_KILL_ARM_LIB_H

#include "fault/fault.h"
#include "ripcord/kill.h"

static intptr_t look_whether_it_can(void *unused)
{
	(void)unused;
	return rip_fault_can_run();
}

/* The handlers are there while there is a guest with a handle. */
static bool can_arm(void)
{
	rip_options options = { .grace = RIP_NEVER };
	rip_outcome outcome = { RIP_CAUSE_NONE, 0, NULL };
	rip_handle handle;
	rip_guest *guest;

	if (rip_create(&options, &guest) == RIP_OK && rip_get_handle(guest, &handle) == RIP_OK)
		rip_run(guest, look_whether_it_can, NULL, &outcome);
	rip_destroy(guest);
	return outcome.value != 0;
}

#endif
