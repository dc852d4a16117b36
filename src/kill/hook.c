/* SPDX-License-Identifier: MIT
 * kill: return hooks: set, taken away, and passed by exceptions. */
#include "kill/parts.h"

#include <unwind.h>

#include "base/sync.h"
#include "port/port.h"

static uint64_t *slot_word_at(uint64_t slot)
{
	return (uint64_t *)(uintptr_t)slot;
}

/* An exception or a longjmp may have left the frame, and a later one have its place. */
static bool stands_in_slot(const struct rip_kill *kill)
{
	return rip_stack_holds(&kill->stop.stack, kill->hook_place) &&
	       *slot_word_at(kill->hook_place) == rip_arch_hook_address(kill->hook - 1);
}

bool rip_kill_hook_stands(const struct rip_kill *kill, const struct rip_context *at)
{
	return kill->hook && kill->hook_place >= at->reg[RIP_REG_SP] && stands_in_slot(kill);
}

static void put_back(const struct rip_kill *kill)
{
	if (stands_in_slot(kill))
		*slot_word_at(kill->hook_place) = rip_arch_hook_return(kill->hook - 1);
}

static void give_passed(struct rip_kill *kill)
{
	int passed = kill->passed;

	kill->passed = 0;
	if (passed)
		rip_arch_hook_give(passed - 1);
}

void rip_kill_unhook(struct rip_kill *kill)
{
	if (kill->hook == 0)
		return;
	int hook = kill->hook - 1;
	put_back(kill);
	kill->hook = 0;
	rip_arch_hook_give(hook);
}

bool rip_kill_may_trap(void)
{
	return rip_fault_is_manual() || rip_fault_is_handled(SIGTRAP) || rip_kill_has_stepper();
}

void rip_kill_end_hooks(struct rip_kill *kill)
{
	rip_kill_unhook(kill);
	give_passed(kill);
}

static enum rip_fault_answer set_hook(struct rip_kill *kill, uint64_t slot, int hook)
{
	if (hook < 0)
		return RIP_FAULT_GO_ON;
	*slot_word_at(slot) = rip_arch_hook_address(hook);
	kill->hook_place = slot;
	kill->hook = (uint8_t)(hook + 1);
	RIP_SYNC(HOOKED);
	return RIP_FAULT_GO_ON;
}

/* The thread itself stands in its signal handler, so nothing returns meanwhile. But it may be reading its own
 * stack: so the hook is another one than the last, whose cell still says where that led. */
enum rip_fault_answer rip_kill_hook_return(struct rip_kill *kill, uint64_t slot)
{
	if (kill->hook && stands_in_slot(kill) && (kill->hook_place == slot || kill->diverted) &&
	    rip_kill_may_trap())
		return RIP_FAULT_GO_ON;
	if (!rip_stack_holds(&kill->stop.stack, slot) || !rip_kill_may_trap()) {
		rip_kill_unhook(kill);
		return RIP_FAULT_GO_ON;
	}
	int last = kill->hook - 1, hook;
	if (last >= 0)
		put_back(kill);
	kill->hook = 0;
	hook = rip_arch_hook_take(*slot_word_at(slot));
	if (last >= 0)
		rip_arch_hook_give(last);
	return set_hook(kill, slot, hook >= 0 || last < 0 ? hook : rip_arch_hook_take(*slot_word_at(slot)));
}

bool rip_kill_divert(struct rip_stop *stop, uint64_t slot)
{
	struct rip_kill *kill = (struct rip_kill *)(void *)stop;

	kill->diverted = false;
	if (slot == 0) {
		rip_kill_unhook(kill);
		return false;
	}
	rip_kill_hook_return(kill, slot);
	kill->diverted = kill->hook && kill->hook_place == slot;
	return kill->diverted;
}

bool rip_kill_is_hooked(const struct rip_kill *kill, const struct rip_fault *fault)
{
	return kill->hook && fault->signal == SIGTRAP &&
	       fault->context.reg[RIP_REG_PC] == rip_arch_hook_trap(kill->hook - 1);
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
static int land_on_pad(struct rip_kill *kill, struct _Unwind_Exception *exception, struct _Unwind_Context *context,
		       uint64_t member)
{
	uint64_t *way = looks_of(kill)->pad_way;
	struct unwinder unwinder;

	if (!find_unwinder(member, &unwinder))
		return _URC_CONTINUE_UNWIND;
	way[0] = rip_arch_hook_return(kill->passed - 1);
	way[1] = (uintptr_t)unwinder.resume;
	unwinder.set_gr(context, __builtin_eh_return_data_regno(0), (uintptr_t)exception);
	unwinder.set_gr(context, __builtin_eh_return_data_regno(1), (uintptr_t)way);
	unwinder.set_ip(context, (uintptr_t)rip_arch_hook_pad);
	return _URC_INSTALL_CONTEXT;
}

/* The unwinder has read the hook's address, and is yet to ask where that leads: its cell is kept for now. */
static void take_away(struct rip_kill *kill)
{
	if (kill->hook == 0)
		return;
	give_passed(kill);
	put_back(kill);
	kill->diverted = false;
	kill->passed = kill->hook;
	kill->hook = 0;
}

/* Whoever asked for the guest's end loses the hook: so the thread looks again at once. */
static int pass(int actions, struct _Unwind_Exception *exception, struct _Unwind_Context *context,
		uint64_t unwinder)
{
	struct rip_kill *kill = kill_of(rip_current);
	int answer = _URC_CONTINUE_UNWIND;
	rip_cause cause;

	if (!is_inside_kill(kill) || !(kill->hook || kill->passed))
		return answer;
	rip_guest *caller = begin_busy();
	take_away(kill);
	if (actions & _UA_HANDLER_FRAME)
		answer = land_on_pad(kill, exception, context, unwinder);
	end_busy(caller);
	RIP_SYNC(PASSED);
	if (kill->overflowing || rip_kill_asked_here(kill, &cause))
		rip_nudge(rip_port_tid());
	return answer;
}

__attribute__((constructor)) static void begin(void)
{
	rip_arch_hook_set_passer(pass);
}
