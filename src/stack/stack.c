/* SPDX-License-Identifier: MIT
 * stack: mapping, guard and reserve. */
#include "stack/stack.h"

#include "port/port.h"

/* The psABI's red zone, and what one push or call stores below that. */
enum { BELOW_SP = 128 + 16 };

static bool round_up(size_t size, size_t *rounded)
{
	size_t page = rip_port_page_size();

	*rounded = (size + page - 1) & ~(page - 1);
	return size <= SIZE_MAX / 4;
}

rip_status rip_stack_create(size_t size, size_t reserve, struct rip_stack *stack_ret)
{
	struct rip_stack stack = { 0 };

	if (!round_up(size, &size) || !round_up(reserve, &reserve))
		return RIP_E_ARGUMENT;
	stack.map_size = RIP_STACK_GUARD + reserve + size;
	rip_status status = rip_port_reserve(stack.map_size, &stack.map);
	if (status != RIP_OK)
		return status;
	stack.reserve = stack.map + RIP_STACK_GUARD;
	stack.low = stack.reserve + reserve;
	stack.top = stack.low + size;
	status = rip_port_open(stack.low, size);
	if (status != RIP_OK) {
		rip_port_unmap(stack.map, stack.map_size);
		return status;
	}
	*stack_ret = stack;
	return RIP_OK;
}

void rip_stack_destroy(struct rip_stack *stack)
{
	rip_port_unmap(stack->map, stack->map_size);
}

rip_status rip_stack_open_reserve(struct rip_stack *stack)
{
	if (stack->reserve_open)
		return RIP_OK;
	rip_status status = rip_port_open(stack->reserve, (size_t)(stack->low - stack->reserve));
	stack->reserve_open = status == RIP_OK;
	return status;
}

rip_status rip_stack_close_reserve(struct rip_stack *stack)
{
	if (!stack->reserve_open)
		return RIP_OK;
	stack->reserve_open = false;
	return rip_port_close(stack->reserve, (size_t)(stack->low - stack->reserve));
}

uint8_t *rip_stack_floor(const struct rip_stack *stack)
{
	return stack->reserve_open ? stack->reserve : stack->low;
}

bool rip_stack_overflowed(const struct rip_stack *stack, uint64_t address, uint64_t sp)
{
	uint64_t begin = (uintptr_t)stack->map, end = (uintptr_t)rip_stack_floor(stack);

	return address >= begin && address < end && sp <= address + BELOW_SP;
}
