/* SPDX-License-Identifier: MIT
 * stack: mapping chunks and making stacks in them. */
#include "stack/chunk.h"

#include "port/port.h"

_Static_assert(RIP_STACK_BLOCK % 64 == 0 && RIP_STACK_COLD % RIP_STACK_PAGE == 0, "blocks are aligned");

bool rip_stack_no_markers;

static bool round_up(size_t size, size_t *rounded)
{
	*rounded = (size + RIP_STACK_PAGE - 1) & ~(size_t)(RIP_STACK_PAGE - 1);
	return size <= SIZE_MAX / 8;
}

rip_status rip_layout_init(size_t size, size_t reserve, size_t slots, struct rip_layout *layout_ret)
{
	struct rip_layout layout;

	if (!round_up(size, &layout.size) || reserve > RIP_RESERVE_MAX || !round_up(reserve, &layout.reserve))
		return RIP_E_ARGUMENT;
	layout.stride = RIP_STACK_GUARD + layout.reserve + layout.size;
	size_t whole = layout.stride + RIP_STACK_BLOCK + RIP_STACK_COLD;
	if (slots > (SIZE_MAX / 4) / whole)
		return RIP_E_ARGUMENT;
	*layout_ret = layout;
	return RIP_OK;
}

/* The closed page tells whether the kernel has markers for this memory. */
static rip_status open_soft(const struct rip_layout *layout, struct rip_chunk *chunk)
{
	uint8_t *closed = chunk->map + chunk->slots * layout->stride;

	if (rip_stack_no_markers || rip_port_page_size() != RIP_STACK_PAGE)
		return RIP_E_SYSTEM;
	rip_status status = rip_port_mark(closed, RIP_STACK_PAGE);
	if (status != RIP_OK)
		return status;
	chunk->soft = true;
	return rip_port_open(chunk->map, rip_chunk_size(layout, chunk->slots));
}

static rip_status open_hard(const struct rip_layout *layout, struct rip_chunk *chunk)
{
	size_t blocks = rip_chunk_blocks(layout, chunk->slots);

	return rip_port_open(chunk->map + blocks, rip_chunk_size(layout, chunk->slots) - blocks);
}

rip_status rip_chunk_map(const struct rip_layout *layout, uint32_t slots, struct rip_chunk *chunk_ret)
{
	struct rip_chunk chunk = { .slots = slots };
	rip_status status = rip_port_reserve(rip_chunk_size(layout, slots), &chunk.map);

	if (status != RIP_OK)
		return status;
	status = open_soft(layout, &chunk);
	if (status == RIP_E_SYSTEM)
		status = open_hard(layout, &chunk);
	if (status == RIP_OK)
		*chunk_ret = chunk;
	else
		rip_chunk_unmap(layout, &chunk);
	return status;
}

void rip_chunk_unmap(const struct rip_layout *layout, struct rip_chunk *chunk)
{
	rip_valgrind_remove_all(layout, chunk);
	rip_port_unmap(chunk->map, rip_chunk_size(layout, chunk->slots));
	chunk->map = NULL;
	chunk->made = 0;
}

rip_status rip_chunk_make(const struct rip_layout *layout, struct rip_chunk *chunk)
{
	size_t closed = RIP_STACK_GUARD + layout->reserve;
	uint8_t *guard = rip_chunk_guard(layout, chunk, chunk->made);
	rip_status status = chunk->soft ? rip_port_mark(guard, closed) :
			    rip_port_open(guard + closed, layout->size);

	if (status != RIP_OK)
		return status;
	struct rip_stack stack;
	rip_chunk_stack(layout, chunk, chunk->made, &stack);
	rip_valgrind_add(&stack);
	chunk->made++;
	return RIP_OK;
}
