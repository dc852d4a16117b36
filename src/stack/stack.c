/* SPDX-License-Identifier: MIT
 * stack: one stack: alone, and its reserve. */
#include "stack/stack.h"

#include "port/port.h"
#include "stack/chunk.h"
#include "stack/pool.h"

rip_status rip_stack_check(size_t size, size_t reserve)
{
	struct rip_layout layout;

	return rip_layout_init(size, reserve, 1, &layout);
}

rip_status rip_stack_create(size_t size, size_t reserve, struct rip_stack *stack_ret)
{
	struct rip_layout layout;
	struct rip_chunk chunk;

	rip_status status = rip_layout_init(size, reserve, 1, &layout);
	if (status == RIP_OK)
		status = rip_chunk_map(&layout, 1, &chunk);
	if (status != RIP_OK)
		return status;
	status = rip_chunk_make(&layout, &chunk);
	if (status != RIP_OK) {
		rip_chunk_unmap(&layout, &chunk);
		return status;
	}
	rip_chunk_stack(&layout, &chunk, 0, stack_ret);
	stack_ret->map_size = rip_chunk_size(&layout, 1);
	rip_registry_add_lone(stack_ret);
	return RIP_OK;
}

void rip_stack_destroy(struct rip_stack *stack)
{
	struct rip_stack mine = *stack;

	if (mine.pool) {
		rip_stack_give(&mine);
		return;
	}
	rip_registry_remove_lone(&mine);
	rip_valgrind_remove(&mine);
	rip_port_unmap(mine.guard, mine.map_size);
}

rip_status rip_stack_open_reserve(struct rip_stack *stack)
{
	size_t size = (size_t)(stack->low - stack->reserve);

	if (stack->reserve_open || size == 0)
		return RIP_OK;
	rip_status status = stack->soft ? rip_port_unmark(stack->reserve, size) :
			    rip_port_open(stack->reserve, size);
	stack->reserve_open = status == RIP_OK;
	return status;
}

rip_status rip_stack_close_reserve(struct rip_stack *stack)
{
	size_t size = (size_t)(stack->low - stack->reserve);

	if (!stack->reserve_open)
		return RIP_OK;
	rip_status status = stack->soft ? rip_port_mark(stack->reserve, size) :
			    rip_port_close(stack->reserve, size);
	stack->reserve_open = status != RIP_OK;
	stack->deep = true;
	return status;
}
