/* SPDX-License-Identifier: MIT
 * kill: asks for the end of a guest by its handle. */
#include "kill/parts.h"

#include "base/sync.h"
#include "port/port.h"

static void nudge(struct rip_slot *slot)
{
	__atomic_add_fetch(&slot->nudging, 1, __ATOMIC_SEQ_CST);
	int tid = slot_tid(slot);
	if (tid) {
		RIP_SYNC(NUDGES);
		__atomic_store_n(&slot->nudged, 1, __ATOMIC_SEQ_CST);
		rip_nudge(tid);
	}
	__atomic_sub_fetch(&slot->nudging, 1, __ATOMIC_SEQ_CST);
}

void rip_kill_look_again(const struct rip_kill *kill)
{
	rip_cause cause;

	if (rip_kill_asked_here(kill, &cause))
		rip_nudge(rip_port_tid());
}

rip_status rip_kill_ask(struct rip_slot *slot, uint64_t word, uint32_t asked, bool same_ladder)
{
	rip_status status = rip_slot_ask(slot, word, asked, same_ladder);

	RIP_SYNC(ASKED);
	if (status == RIP_OK)
		nudge(slot);
	return status;
}

/* A guest that no thread is in needs no timer: whoever enters it looks. */
static rip_status kill_slot(struct rip_slot *slot, uint64_t word, uint32_t asked)
{
	rip_status status = rip_kill_ask(slot, word, asked, false);

	if (status == RIP_OK && slot_tid(slot))
		rip_timer_post(&slot->timer);
	return status;
}

/* As begin_call. The stack of a signal handler is not the guest's. */
static rip_guest *begin_kill(void)
{
	uintptr_t sp = (uintptr_t)__builtin_frame_address(0);

	if (rip_current && rip_stack_holds(&kill_of(rip_current)->stop.stack, sp))
		rip_kill_touch_stack(SMALL_STACK);
	return begin_busy();
}

rip_status rip_kill(rip_handle handle, rip_rung rung)
{
	static const uint32_t asked[] = {
		[RIP_SOFT] = ASKED_KILL, [RIP_FIRM] = ASKED_KILL | ASKED_FIRM,
		[RIP_ABANDON] = ASKED_KILL | ASKED_FIRM | ASKED_ABANDON,
	};
	rip_status status = RIP_E_GONE;

	if (rung < RIP_SOFT || rung > RIP_ABANDON)
		return RIP_E_ARGUMENT;
	rip_guest *caller = begin_kill();
	struct rip_slot *slot = rip_slot_enter(handle);
	if (slot) {
		status = kill_slot(slot, handle, asked[rung]);
		rip_slot_leave(handle);
	}
	end_busy(caller);
	return status;
}
