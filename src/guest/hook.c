/* SPDX-License-Identifier: MIT
 * guest: return hooks. */
#include "guest/kill_parts.h"

#include "base/sync.h"

static uint64_t *slot_word_at(uint64_t slot)
{
	return (uint64_t *)(uintptr_t)slot;
}

void rip_guest_unhook(rip_guest *guest)
{
	if (guest->hook == 0)
		return;
	int hook = guest->hook - 1;
	bool there = rip_stack_holds(&guest->stop.stack, guest->hook_slot);

	if (there && *slot_word_at(guest->hook_slot) == rip_arch_hook_address(hook))
		*slot_word_at(guest->hook_slot) = rip_arch_hook_return(hook);
	guest->hook = 0;
	rip_arch_hook_give(hook);
}

bool rip_guest_may_trap(void)
{
	return rip_fault_is_manual() || rip_fault_is_handled(SIGTRAP);
}

/* The thread itself stands in its signal handler, so nothing returns meanwhile. */
enum rip_fault_answer rip_guest_hook_return(rip_guest *guest, uint64_t slot)
{
	if (guest->hook && (guest->hook_slot == slot || guest->diverted) && rip_guest_may_trap())
		return RIP_FAULT_GO_ON;
	rip_guest_unhook(guest);
	if (!rip_stack_holds(&guest->stop.stack, slot) || !rip_guest_may_trap())
		return RIP_FAULT_GO_ON;
	int hook = rip_arch_hook_take(*slot_word_at(slot));
	if (hook < 0)
		return RIP_FAULT_GO_ON;
	*slot_word_at(slot) = rip_arch_hook_address(hook);
	guest->hook_slot = slot;
	guest->hook = hook + 1;
	RIP_SYNC(HOOKED);
	return RIP_FAULT_GO_ON;
}

bool rip_guest_divert(struct rip_stop *stop, uint64_t slot)
{
	rip_guest *guest = (rip_guest *)(void *)stop;

	guest->diverted = false;
	if (slot == 0) {
		rip_guest_unhook(guest);
		return false;
	}
	rip_guest_hook_return(guest, slot);
	guest->diverted = guest->hook && guest->hook_slot == slot;
	return guest->diverted;
}

bool rip_guest_is_hooked(const rip_guest *guest, const struct rip_fault *fault)
{
	return guest->hook && fault->signal == SIGTRAP &&
	       fault->context.reg[RIP_REG_RIP] == rip_arch_hook_trap(guest->hook - 1);
}
