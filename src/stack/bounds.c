/* SPDX-License-Identifier: MIT
 * stack: where a stack ends. Apart from what makes stacks, which needs a system. */
#include "stack/stack.h"

/* The psABI's red zone, and what one push or call stores below that. */
enum { BELOW_SP = 128 + 16 };

uint8_t *rip_stack_floor(const struct rip_stack *stack)
{
	return stack->reserve_open ? stack->reserve : stack->low;
}

bool rip_stack_holds(const struct rip_stack *stack, uint64_t address)
{
	return address >= (uintptr_t)rip_stack_floor(stack) && address < (uintptr_t)stack->top;
}

bool rip_stack_overflowed(const struct rip_stack *stack, uint64_t address, uint64_t sp)
{
	uint64_t begin = (uintptr_t)stack->guard, end = (uintptr_t)rip_stack_floor(stack);

	return address >= begin && address < end && sp <= address + BELOW_SP;
}
