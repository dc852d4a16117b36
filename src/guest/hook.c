/* SPDX-License-Identifier: MIT
 * guest: return hooks: set, taken away, and passed by exceptions. */
#include "guest/kill_parts.h"

#include <unwind.h>

#include "base/sync.h"
#include "port/port.h"

static uint64_t *slot_word_at(uint64_t slot)
{
	return (uint64_t *)(uintptr_t)slot;
}

/* An exception or a longjmp may have left the frame, and a later one have its place. */
static bool stands_in_slot(const rip_guest *guest)
{
	return rip_stack_holds(&guest->stop.stack, guest->hook_slot) &&
	       *slot_word_at(guest->hook_slot) == rip_arch_hook_address(guest->hook - 1);
}

bool rip_guest_hook_stands(const rip_guest *guest, const struct rip_context *at)
{
	return guest->hook && guest->hook_slot >= at->reg[RIP_REG_RSP] && stands_in_slot(guest);
}

static void put_back(const rip_guest *guest)
{
	if (stands_in_slot(guest))
		*slot_word_at(guest->hook_slot) = rip_arch_hook_return(guest->hook - 1);
}

static void give_passed(rip_guest *guest)
{
	int passed = guest->passed;

	guest->passed = 0;
	if (passed)
		rip_arch_hook_give(passed - 1);
}

void rip_guest_unhook(rip_guest *guest)
{
	if (guest->hook == 0)
		return;
	int hook = guest->hook - 1;
	put_back(guest);
	guest->hook = 0;
	rip_arch_hook_give(hook);
}

bool rip_guest_may_trap(void)
{
	return rip_fault_is_manual() || rip_fault_is_handled(SIGTRAP) || rip_guest_has_stepper();
}

void rip_guest_end_hooks(rip_guest *guest)
{
	rip_guest_unhook(guest);
	give_passed(guest);
}

static enum rip_fault_answer set_hook(rip_guest *guest, uint64_t slot, int hook)
{
	if (hook < 0)
		return RIP_FAULT_GO_ON;
	*slot_word_at(slot) = rip_arch_hook_address(hook);
	guest->hook_slot = slot;
	guest->hook = (uint8_t)(hook + 1);
	RIP_SYNC(HOOKED);
	return RIP_FAULT_GO_ON;
}

/* The thread itself stands in its signal handler, so nothing returns meanwhile. But it may be reading its own
 * stack: so the hook is another one than the last, whose cell still says where that led. */
enum rip_fault_answer rip_guest_hook_return(rip_guest *guest, uint64_t slot)
{
	if (guest->hook && stands_in_slot(guest) && (guest->hook_slot == slot || guest->diverted) &&
	    rip_guest_may_trap())
		return RIP_FAULT_GO_ON;
	if (!rip_stack_holds(&guest->stop.stack, slot) || !rip_guest_may_trap()) {
		rip_guest_unhook(guest);
		return RIP_FAULT_GO_ON;
	}
	int last = guest->hook - 1, hook;
	if (last >= 0)
		put_back(guest);
	guest->hook = 0;
	hook = rip_arch_hook_take(*slot_word_at(slot));
	if (last >= 0)
		rip_arch_hook_give(last);
	return set_hook(guest, slot, hook >= 0 || last < 0 ? hook : rip_arch_hook_take(*slot_word_at(slot)));
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

/* --- Exceptions that pass a hook --- */

typedef void (*resumer)(struct _Unwind_Exception *exception);
typedef void (*gr_setter)(struct _Unwind_Context *context, int reg, _Unwind_Word value);
typedef void (*ip_setter)(struct _Unwind_Context *context, _Unwind_Ptr ip);

struct unwinder {
	resumer resume;
	gr_setter set_gr;
	ip_setter set_ip;
};

/* Several may be in a process, and each knows its own contexts only. */
static bool find_unwinder(uint64_t member, struct unwinder *unwinder_ret)
{
	struct rip_module_identity its, ours;
	uint64_t resume = rip_port_exported(member, "_Unwind_Resume"),
		 set_gr = rip_port_exported(member, "_Unwind_SetGR"),
		 set_ip = rip_port_exported(member, "_Unwind_SetIP");

	if (resume && set_gr && set_ip) {
		*unwinder_ret = (struct unwinder){ (resumer)(uintptr_t)resume, (gr_setter)(uintptr_t)set_gr,
						   (ip_setter)(uintptr_t)set_ip };
		return true;
	}
	*unwinder_ret = (struct unwinder){ _Unwind_Resume, _Unwind_SetGR, _Unwind_SetIP };
	return rip_port_identity_at(member, &its) == RIP_OK &&
	       rip_port_identity_at((uintptr_t)_Unwind_Resume, &ours) == RIP_OK && its.begin == ours.begin;
}

/* The hook was set in a cleanup, after the search: the exception's handler is in the frame above. */
static int land_on_pad(rip_guest *guest, struct _Unwind_Exception *exception, struct _Unwind_Context *context,
		       uint64_t member)
{
	uint64_t *way = looks_of(guest)->pad_way;
	struct unwinder unwinder;

	if (!find_unwinder(member, &unwinder))
		return _URC_CONTINUE_UNWIND;
	way[0] = rip_arch_hook_return(guest->passed - 1);
	way[1] = (uintptr_t)unwinder.resume;
	unwinder.set_gr(context, __builtin_eh_return_data_regno(0), (uintptr_t)exception);
	unwinder.set_gr(context, __builtin_eh_return_data_regno(1), (uintptr_t)way);
	unwinder.set_ip(context, (uintptr_t)rip_arch_hook_pad);
	return _URC_INSTALL_CONTEXT;
}

/* The unwinder has read the hook's address, and is yet to ask where that leads: its cell is kept for now. */
static void take_away(rip_guest *guest)
{
	if (guest->hook == 0)
		return;
	give_passed(guest);
	put_back(guest);
	guest->diverted = false;
	guest->passed = guest->hook;
	guest->hook = 0;
}

/* Whoever asked for the guest's end loses the hook: so the thread looks again at once. */
static int pass(int actions, struct _Unwind_Exception *exception, struct _Unwind_Context *context,
		uint64_t unwinder)
{
	rip_guest *guest = rip_current;
	int answer = _URC_CONTINUE_UNWIND;
	rip_cause cause;

	if (!is_inside(guest) || !(guest->hook || guest->passed))
		return answer;
	begin_busy();
	take_away(guest);
	if (actions & _UA_HANDLER_FRAME)
		answer = land_on_pad(guest, exception, context, unwinder);
	end_busy(guest);
	RIP_SYNC(PASSED);
	if (guest->overflowing || rip_guest_asked_here(guest, &cause))
		rip_nudge(rip_port_tid());
	return answer;
}

__attribute__((constructor)) static void begin(void)
{
	rip_arch_hook_set_passer(pass);
}
