/* SPDX-License-Identifier: MIT
 * arch: who has which return hook; and what a hook's frame says to an exception that passes it.
 *
 * Most unwinders tell the frame of an exception's handler by the stack pointer, which a hook's frame shares
 * with the one above it. The search phase takes the hook away, so that it mostly is gone in the second. If one
 * has been set since, by a nudge that came in a cleanup, the second phase takes it for the handler's frame: the
 * hook has that unwinder land on a pad of its own, which goes on with the unwind from the frame above. */
#include <unwind.h>

#include "arch.h"
#include "base/bits.h"
#include "layout.h"

struct cell {
	uint64_t return_address, mask;
	uint64_t kept[14]; /* assembly's own */
};

extern struct cell rip_arch_hook_cells[RIP_HOOKS];
extern const uint64_t rip_arch_hook_trap_at; /* from a hook's start, behind the breakpoint */

static uint64_t taken; /* a bit for each hook */
static rip_hook_passer the_passer;

_Static_assert(RIP_HOOKS == 64, "the bits of a word");
_Static_assert(sizeof(struct cell) == RIP_HOOK_CELL, "as assembly lays them out");
_Static_assert(offsetof(struct cell, mask) == 8, "likewise");

int rip_arch_hook_take(uint64_t return_address)
{
	int hook = rip_bit_take(&taken);

	if (hook >= 0)
		__atomic_store_n(&rip_arch_hook_cells[hook].return_address, return_address, __ATOMIC_RELEASE);
	return hook;
}

void rip_arch_hook_give(int hook)
{
	rip_bit_give(&taken, hook);
}

/* Behind the no-op. */
uint64_t rip_arch_hook_address(int hook)
{
	return (uintptr_t)rip_arch_hooks + (uint64_t)hook * RIP_HOOK_SIZE + 1;
}

uint64_t rip_arch_hook_trap(int hook)
{
	return (uintptr_t)rip_arch_hooks + (uint64_t)hook * RIP_HOOK_SIZE + rip_arch_hook_trap_at;
}

uint64_t rip_arch_hook_return(int hook)
{
	return __atomic_load_n(&rip_arch_hook_cells[hook].return_address, __ATOMIC_ACQUIRE);
}

uint64_t rip_arch_hook_mask(int hook)
{
	return __atomic_load_n(&rip_arch_hook_cells[hook].mask, __ATOMIC_ACQUIRE);
}

bool rip_arch_is_hook_start(uint64_t pc)
{
	return pc - (uintptr_t)rip_arch_hooks < RIP_HOOKS * RIP_HOOK_SIZE &&
	       (pc - (uintptr_t)rip_arch_hooks) % RIP_HOOK_SIZE == 1;
}

void rip_arch_hook_set_passer(rip_hook_passer passer)
{
	__atomic_store_n(&the_passer, passer, __ATOMIC_RELEASE);
}

_Unwind_Reason_Code rip_arch_hook_personality(int version, _Unwind_Action actions,
					      _Unwind_Exception_Class class,
					      struct _Unwind_Exception *exception,
					      struct _Unwind_Context *context);

/* Its own return may be hooked: the unwinder is foreign code. */
_Unwind_Reason_Code rip_arch_hook_personality(int version, _Unwind_Action actions,
					      _Unwind_Exception_Class class,
					      struct _Unwind_Exception *exception,
					      struct _Unwind_Context *context)
{
	uint64_t caller = (uintptr_t)__builtin_return_address(0);
	rip_hook_passer passer = __atomic_load_n(&the_passer, __ATOMIC_ACQUIRE);

	(void)version, (void)class;
	if (rip_arch_is_hook_start(caller))
		caller = rip_arch_hook_return((int)((caller - (uintptr_t)rip_arch_hooks) / RIP_HOOK_SIZE));
	return passer ? passer((int)actions, exception, context, caller) : _URC_CONTINUE_UNWIND;
}
