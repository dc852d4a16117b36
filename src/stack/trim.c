/* SPDX-License-Identifier: MIT
 * stack: giving the memory of idle stacks back, and counting. */
#include "port/port.h"
#include "stack/pool.h"

static struct rip_chunk *chunk_of(struct rip_stack_pool *pool, uint32_t slot)
{
	return &pool->chunks[(slot - 1) >> pool->chunk_log2];
}

/* All idle slots, in one list that nobody else sees; each chunk learns how many of them are its own. */
static uint32_t drain(struct rip_stack_pool *pool)
{
	uint32_t all = 0;

	for (uint32_t i = 0; i < RIP_POOL_SHARDS; i++)
		for (uint32_t slot = rip_shard_drain(pool, i), next; slot != 0; slot = next) {
			next = pool->slots[slot].next;
			/* pops may be late */
			__atomic_store_n(&pool->slots[slot].next, all, __ATOMIC_RELAXED);
			all = slot;
			chunk_of(pool, slot)->idle++;
		}
	return all;
}

static void release(struct rip_stack_pool *pool, uint32_t number)
{
	struct rip_chunk *chunk = &pool->chunks[number];

	__atomic_store_n(&pool->made, pool->made - chunk->made, __ATOMIC_RELAXED);
	rip_chunk_unmap(&pool->layout, chunk);
	if (number < pool->first_open)
		pool->first_open = number;
}

/* Chunks in which nobody has a stack go, but for those that hold what is to be kept. What is idle in others
 * has to stay anyhow, and counts. */
static void release_chunks(struct rip_stack_pool *pool, size_t keep)
{
	size_t kept = 0;

	for (uint32_t i = 0; i < pool->chunk_end; i++)
		if (pool->chunks[i].map && pool->chunks[i].idle < pool->chunks[i].made)
			kept += pool->chunks[i].idle;
	for (uint32_t i = 0; i < pool->chunk_end; i++) {
		struct rip_chunk *chunk = &pool->chunks[i];
		if (!chunk->map || chunk->idle < chunk->made)
			continue;
		if (kept < keep)
			kept += chunk->idle;
		else
			release(pool, i);
	}
}

/* The table of slots behind the last chunk: a pop that is late may read zeros there, and finds that it is
 * late. */
static void shorten(struct rip_stack_pool *pool)
{
	uint32_t before = pool->chunk_end;

	while (pool->chunk_end > 0 && !pool->chunks[pool->chunk_end - 1].map)
		pool->chunk_end--;
	uintptr_t page = RIP_STACK_PAGE,
		  from = (uintptr_t)&pool->slots[((size_t)pool->chunk_end << pool->chunk_log2) + 1],
		to = (uintptr_t)&pool->slots[((size_t)before << pool->chunk_log2) + 1];
	from = (from + page - 1) & ~(page - 1);
	to &= ~(page - 1);
	if (from < to)
		rip_port_drop((uint8_t *)from, to - from);
}

static void find(struct rip_stack_pool *pool, uint32_t slot, struct rip_stack *stack_ret)
{
	uint32_t number = slot - 1, mask = (1u << pool->chunk_log2) - 1;

	rip_chunk_stack(&pool->layout, chunk_of(pool, slot), number & mask, stack_ret);
	stack_ret->pool = pool;
}

static void drop_all(struct rip_stack_pool *pool, uint32_t slot)
{
	struct rip_stack stack;

	find(pool, slot, &stack);
	pool->slots[slot].dropped = rip_port_drop(stack.low, (size_t)(stack.top - stack.low)) &&
				    rip_port_drop(stack.cold, RIP_STACK_COLD);
}

static void drop_lower(struct rip_stack_pool *pool, uint32_t slot)
{
	struct rip_stack stack;

	find(pool, slot, &stack);
	rip_stack_drop_lower(&stack);
}

/* Back into a list: those that stay warm last, so that they are taken first. */
static void put_back(struct rip_stack_pool *pool, uint32_t all, size_t keep)
{
	uint32_t shard = rip_shard_mine(), warm = 0, next;
	size_t kept = 0;

	for (uint32_t slot = all; slot != 0; slot = next) {
		next = pool->slots[slot].next;
		struct rip_chunk *chunk = chunk_of(pool, slot);
		chunk->idle = 0;
		if (!chunk->map)
			continue;
		if (!pool->slots[slot].dropped && kept++ < keep) {
			drop_lower(pool, slot);
			__atomic_store_n(&pool->slots[slot].next, warm, __ATOMIC_RELAXED);
			warm = slot;
			continue;
		}
		if (!pool->slots[slot].dropped)
			drop_all(pool, slot);
		rip_shard_push(pool, shard, slot);
	}
	for (uint32_t slot = warm; slot != 0; slot = next) {
		next = pool->slots[slot].next;
		rip_shard_push(pool, shard, slot);
	}
}

void rip_stack_pool_trim_locked(struct rip_stack_pool *pool, size_t keep)
{
	uint32_t all = drain(pool);

	release_chunks(pool, keep);
	put_back(pool, all, keep);
	shorten(pool);
	/* The next time when half as many again are idle: each stack pays for a share of a trim. */
	size_t left = rip_shard_length(pool, rip_shard_mine());
	size_t step = left / 2 > pool->keep_idle ? left / 2 : pool->keep_idle;
	__atomic_store_n(&pool->trim_at, (uint32_t)(left + step), __ATOMIC_RELAXED);
}

static size_t mapped_locked(const struct rip_stack_pool *pool)
{
	size_t mapped = 0;

	for (uint32_t i = 0; i < pool->chunk_end; i++)
		if (pool->chunks[i].map)
			mapped += rip_chunk_size(&pool->layout, pool->chunks[i].slots);
	return mapped;
}

static bool soft_locked(const struct rip_stack_pool *pool)
{
	for (uint32_t i = 0; i < pool->chunk_end; i++)
		if (pool->chunks[i].map)
			return pool->chunks[i].soft;
	return false;
}

void rip_stack_pool_add_stats(struct rip_stack_pool *pool, rip_pool_stats *stats)
{
	size_t idle = 0;

	rip_lock_take(&pool->lock);
	for (uint32_t i = 0; i < RIP_POOL_SHARDS; i++)
		idle += rip_shard_length(pool, i);
	stats->capacity += pool->capacity;
	stats->idle += idle;
	/* Threads that take and give meanwhile are counted now here, now there. */
	stats->in_use += pool->made > idle ? pool->made - idle : 0;
	stats->mapped += mapped_locked(pool);
	stats->guard_markers |= soft_locked(pool);
	if (pool->demand)
		rip_demand_add_stats(pool->demand, stats);
	rip_lock_give(&pool->lock);
}
