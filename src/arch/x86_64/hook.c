/* SPDX-License-Identifier: MIT
 * arch: who has which return hook. */
#include "arch.h"
#include "layout.h"

extern const char rip_arch_hooks[];
extern uint64_t rip_arch_hook_cells[RIP_HOOKS];

static uint64_t taken; /* atomic: a bit for each hook */

_Static_assert(RIP_HOOKS == 64 && RIP_HOOK_SIZE == 8, "the bits of a word, and the expression in hook.S");

int rip_arch_hook_take(uint64_t return_address)
{
	uint64_t now = __atomic_load_n(&taken, __ATOMIC_RELAXED);
	int hook;

	do {
		if (now == UINT64_MAX)
			return -1;
		hook = __builtin_ctzll(~now);
	} while (!__atomic_compare_exchange_n(&taken, &now, now | (uint64_t)1 << hook, true, __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
	__atomic_store_n(&rip_arch_hook_cells[hook], return_address, __ATOMIC_RELEASE);
	return hook;
}

void rip_arch_hook_give(int hook)
{
	__atomic_and_fetch(&taken, ~((uint64_t)1 << hook), __ATOMIC_RELEASE);
}

/* The breakpoint, behind the no-op. */
uint64_t rip_arch_hook_address(int hook)
{
	return (uintptr_t)rip_arch_hooks + (uint64_t)hook * RIP_HOOK_SIZE + 1;
}

uint64_t rip_arch_hook_return(int hook)
{
	return __atomic_load_n(&rip_arch_hook_cells[hook], __ATOMIC_ACQUIRE);
}
