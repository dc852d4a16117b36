/* SPDX-License-Identifier: MIT
 * kill: the guest that a thread runs, and the room on its stack. */
#include "kill/kill.h"

#include "base/probe.h"

__thread rip_guest *rip_current __attribute__((tls_model("initial-exec"), visibility("hidden")));

__attribute__((noinline)) void rip_kill_touch_stack(size_t size)
{
	volatile uint8_t room[size];

	/* Each page: a supplier of memory (RIP_POOL_ON_DEMAND) may refuse any. */
	for (size_t at = size; at > RIP_PROBE_STEP; at -= RIP_PROBE_STEP)
		room[at - 1] = 0;
	room[0] = 0;
	(void)room[0];
}
