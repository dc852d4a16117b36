/* SPDX-License-Identifier: MIT
 * stack: how stacks lie in a mapping. Internal to stack/.
 *
 * A chunk is one mapping: its stacks, one beside the other, each with guard and reserve below; a closed page;
 * the blocks; the cold blocks. So a stack that runs over its upper end meets another's guard or the closed
 * page. With guard markers all of it is one mapping for the kernel; without them, each stack is two. */
#ifndef RIPCORD_STACK_CHUNK_H
#define RIPCORD_STACK_CHUNK_H

#include "stack/stack.h"

struct rip_layout {
	size_t size, reserve; /* whole pages */
	size_t stride;        /* from one stack's guard to the next one's */
};

struct rip_chunk {
	uint8_t *map;
	uint32_t slots; /* stacks that there is room for */
	uint32_t made;  /* of these, the first so many are ready */
	uint32_t idle;  /* while a pool is being trimmed: how many of these nobody has */
	bool soft;      /* by guard markers */
};

/* ARGUMENT: `slots` such stacks do not add up in 63 bits. */
rip_status rip_layout_init(size_t size, size_t reserve, size_t slots, struct rip_layout *layout_ret);

enum { RIP_STACK_PAGE = 4096 };

/* Offset of the blocks, and how much room they take. */
static inline size_t rip_chunk_blocks(const struct rip_layout *layout, uint32_t slots)
{
	return slots * layout->stride + RIP_STACK_PAGE;
}

static inline size_t rip_chunk_blocks_size(uint32_t slots)
{
	return ((size_t)slots * RIP_STACK_BLOCK + RIP_STACK_PAGE - 1) & ~(size_t)(RIP_STACK_PAGE - 1);
}

static inline size_t rip_chunk_size(const struct rip_layout *layout, uint32_t slots)
{
	return rip_chunk_blocks(layout, slots) + rip_chunk_blocks_size(slots) +
	       (size_t)slots * RIP_STACK_COLD;
}

/* A stack was made; those of the chunk will be unmapped. */
void rip_valgrind_add(const struct rip_stack *stack);
void rip_valgrind_remove(const struct rip_stack *stack);
void rip_valgrind_remove_all(const struct rip_layout *layout, const struct rip_chunk *chunk);

/* NOMEM, MAPS. */
rip_status rip_chunk_map(const struct rip_layout *layout, uint32_t slots, struct rip_chunk *chunk_ret);
void rip_chunk_unmap(const struct rip_layout *layout, struct rip_chunk *chunk);

/* Makes the next stack ready: number chunk->made. NOMEM, MAPS. */
rip_status rip_chunk_make(const struct rip_layout *layout, struct rip_chunk *chunk);

/* Where stack number `i` begins, with its guard. From the upper end down, as the system lays mappings out:
 * debuggers expect a caller's stack above. */
static inline uint8_t *rip_chunk_guard(const struct rip_layout *layout, const struct rip_chunk *chunk,
				       uint32_t i)
{
	return chunk->map + (chunk->slots - 1 - i) * layout->stride;
}

/* Where stack number `i` lies. */
static inline void rip_chunk_stack(const struct rip_layout *layout, const struct rip_chunk *chunk, uint32_t i,
				   struct rip_stack *stack_ret)
{
	uint8_t *guard = rip_chunk_guard(layout, chunk, i);
	uint8_t *blocks = chunk->map + rip_chunk_blocks(layout, chunk->slots);

	*stack_ret = (struct rip_stack){
		.guard = guard,
		.reserve = guard + RIP_STACK_GUARD,
		.low = guard + RIP_STACK_GUARD + layout->reserve,
		.top = guard + layout->stride,
		.block = blocks + (size_t)i * RIP_STACK_BLOCK,
		.cold = blocks + rip_chunk_blocks_size(chunk->slots) + (size_t)i * RIP_STACK_COLD,
		.soft = chunk->soft,
	};
}

#endif
