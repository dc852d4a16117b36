/* SPDX-License-Identifier: MIT
 * arch: who has which return hook. */
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
