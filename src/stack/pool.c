/* SPDX-License-Identifier: MIT
 * stack: pools: taking stacks and giving them back. */
#include "stack/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "port/port.h"


/* Where nothing tells how deep a guest went, what is below the part that is kept is given back each time that
 * the stack has been used this often: a system call, shared by so many guests. */
enum { LOOK_EVERY = 64 };

/* A mapping of large stacks holds fewer of them. */
enum { CHUNK_SIZE_MAX = 64 << 20 };

/* --- Create and destroy ------------------------------------------------------------------------ */

static uint32_t chunk_log2(size_t stride, size_t capacity)
{
	uint32_t log2 = RIP_CHUNK_SLOTS_LOG2;

	while (log2 > 0 && ((stride << log2) > CHUNK_SIZE_MAX || (size_t)1 << (log2 - 1) >= capacity))
		log2--;
	return log2;
}

static rip_status init(const struct rip_stack_pool_config *config, struct rip_stack_pool *pool)
{
	size_t capacity = config->capacity ? config->capacity : RIP_POOL_CAPACITY_MAX;

	if (config->stack_size == 0 || capacity > RIP_POOL_CAPACITY_MAX)
		return RIP_E_ARGUMENT;
	rip_status status = rip_layout_init(config->stack_size, config->reserve_size, capacity,
					    &pool->layout);
	if (status != RIP_OK)
		return status;
	size_t keep = config->keep_resident ? config->keep_resident : RIP_POOL_RESIDENT_DEFAULT;
	if (keep > pool->layout.size)
		keep = pool->layout.size;
	pool->keep_resident = (keep + RIP_STACK_PAGE - 1) & ~(size_t)(RIP_STACK_PAGE - 1);
	pool->keep_idle = config->keep_idle ? config->keep_idle : RIP_POOL_IDLE_DEFAULT;
	if (pool->keep_idle > capacity)
		pool->keep_idle = capacity;
	pool->zero = config->zero;
	pool->capacity = (uint32_t)capacity;
	pool->chunk_log2 = chunk_log2(pool->layout.stride, capacity);
	pool->chunk_count = (pool->capacity + (1u << pool->chunk_log2) - 1) >> pool->chunk_log2;
	pool->trim_at = (uint32_t)pool->keep_idle;
	return RIP_OK;
}

static size_t slots_size(const struct rip_stack_pool *pool)
{
	return (((size_t)pool->capacity + 1) * sizeof *pool->slots + RIP_STACK_PAGE - 1) &
	       ~(size_t)(RIP_STACK_PAGE - 1);
}

/* What is not used yet takes no memory, only address space; a trim gives back what is not used any more. */
static rip_status allocate(struct rip_stack_pool *pool)
{
	uint8_t *slots;

	rip_status status = rip_port_reserve(slots_size(pool), &slots);
	if (status != RIP_OK)
		return status;
	pool->slots = (struct rip_pool_slot *)(void *)slots;
	status = rip_port_open(slots, slots_size(pool));
	pool->chunks = calloc(pool->chunk_count, sizeof *pool->chunks);
	if (status == RIP_OK && !pool->chunks)
		status = rip_port_fail(RIP_E_NOMEM, "calloc", ENOMEM);
	if (status == RIP_OK && !rip_lock_init(&pool->lock))
		status = rip_port_fail(RIP_E_NOMEM, "pthread_mutex_init", ENOMEM);
	return status;
}

static void deallocate(struct rip_stack_pool *pool)
{
	if (pool->slots)
		rip_port_unmap((uint8_t *)pool->slots, slots_size(pool));
	free(pool->chunks);
	free(pool);
}

rip_status rip_stack_pool_create(const struct rip_stack_pool_config *config, struct rip_stack_pool **pool_ret)
{
	struct rip_stack_pool *pool = aligned_alloc(_Alignof(struct rip_stack_pool), sizeof *pool);

	if (!pool)
		return rip_port_fail(RIP_E_NOMEM, "aligned_alloc", ENOMEM);
	memset(pool, 0, sizeof *pool);
	rip_status status = init(config, pool);
	if (status == RIP_OK)
		status = allocate(pool);
	if (status == RIP_OK && config->supply)
		status = rip_demand_create(config->supply, config->supply_context, &pool->demand);
	if (status != RIP_OK) {
		deallocate(pool);
		return status;
	}
	rip_registry_add_pool(pool);
	*pool_ret = pool;
	return RIP_OK;
}

rip_status rip_stack_pool_destroy(struct rip_stack_pool *pool)
{
	rip_stack_pool_trim(pool, 0);
	if (__atomic_load_n(&pool->made, __ATOMIC_RELAXED) != 0)
		return RIP_E_STATE;
	rip_registry_remove_pool(pool);
	if (pool->demand)
		rip_demand_destroy(pool->demand);
	rip_lock_deinit(&pool->lock);
	deallocate(pool);
	return RIP_OK;
}

/* --- Take ------------------------------------------------------------------------------------- */

static uint32_t pop_any(struct rip_stack_pool *pool)
{
	uint32_t shard = rip_shard_mine(), slot = rip_shard_pop(pool, shard);

	for (uint32_t i = 1; slot == 0 && i < RIP_POOL_SHARDS; i++)
		slot = rip_shard_pop(pool, (shard + i) % RIP_POOL_SHARDS);
	return slot;
}

/* Under the lock: the first chunk with room. */
static struct rip_chunk *chunk_with_room(struct rip_stack_pool *pool)
{
	for (; pool->first_open < pool->chunk_count; pool->first_open++) {
		struct rip_chunk *chunk = &pool->chunks[pool->first_open];
		if (!chunk->map || chunk->made < chunk->slots)
			return chunk;
	}
	return NULL;
}

static uint32_t slots_of_chunk(const struct rip_stack_pool *pool, uint32_t number)
{
	uint32_t left = pool->capacity - (number << pool->chunk_log2), most = 1u << pool->chunk_log2;

	return left < most ? left : most;
}

static rip_status map_chunk(struct rip_stack_pool *pool, struct rip_chunk *chunk)
{
	rip_status status = rip_chunk_map(&pool->layout, slots_of_chunk(pool, pool->first_open), chunk);

	if (status != RIP_OK || !pool->demand)
		return status;
	status = rip_demand_add(pool->demand, &pool->layout, chunk);
	if (status != RIP_OK)
		rip_chunk_unmap(&pool->layout, chunk);
	return status;
}

/* Under the lock. */
static rip_status make_slot(struct rip_stack_pool *pool, uint32_t *slot_ret)
{
	struct rip_chunk *chunk = chunk_with_room(pool);
	rip_status status = RIP_OK;

	if (!chunk)
		return RIP_E_FULL;
	if (!chunk->map)
		status = map_chunk(pool, chunk);
	if (chunk->map && pool->chunk_end <= pool->first_open)
		pool->chunk_end = pool->first_open + 1;
	if (status == RIP_OK)
		status = rip_chunk_make(&pool->layout, chunk);
	if (status != RIP_OK)
		return status;
	__atomic_store_n(&pool->made, pool->made + 1, __ATOMIC_RELAXED);
	*slot_ret = (pool->first_open << pool->chunk_log2) + chunk->made;
	/* Its link may be read by a pop that is late. */
	pool->slots[*slot_ret].uses = 0;
	pool->slots[*slot_ret].dropped = true;
	pool->slots[*slot_ret].left_open = false;
	return RIP_OK;
}

/* Nothing was idle just now. Who trims has the lists empty for a while, but then the lock as well. */
static __attribute__((noinline)) rip_status take_slowly(struct rip_stack_pool *pool, uint32_t *slot_ret)
{
	rip_status status = RIP_OK;

	rip_lock_take(&pool->lock);
	uint32_t slot = pop_any(pool);
	if (slot == 0)
		status = make_slot(pool, &slot);
	rip_lock_give(&pool->lock);
	if (status == RIP_OK)
		*slot_ret = slot;
	return status;
}

static void fill(struct rip_stack_pool *pool, uint32_t slot, struct rip_stack *stack_ret)
{
	uint32_t number = slot - 1, mask = (1u << pool->chunk_log2) - 1;

	rip_chunk_stack(&pool->layout, &pool->chunks[number >> pool->chunk_log2], number & mask, stack_ret);
	stack_ret->pool = pool;
	stack_ret->slot = slot;
	stack_ret->on_demand = pool->demand != NULL;
}

/* The reserve could not be closed when the stack was given back: without closing it now, no use. */
static __attribute__((noinline)) rip_status close_late(struct rip_stack_pool *pool, uint32_t slot)
{
	struct rip_stack stack;

	fill(pool, slot, &stack);
	stack.reserve_open = true;
	rip_status status = rip_stack_close_reserve(&stack);
	if (status == RIP_OK)
		pool->slots[slot].left_open = false;
	else
		rip_shard_push(pool, rip_shard_mine(), slot);
	return status;
}

rip_status rip_stack_pool_take(struct rip_stack_pool *pool, struct rip_stack *stack_ret)
{
	uint32_t slot = rip_shard_pop(pool, rip_shard_mine());
	rip_status status = RIP_OK;

	if (__builtin_expect(slot == 0, 0))
		slot = pop_any(pool);
	if (__builtin_expect(slot == 0, 0))
		status = take_slowly(pool, &slot);
	if (status != RIP_OK)
		return status;
	if (__builtin_expect(pool->slots[slot].left_open, 0))
		status = close_late(pool, slot);
	if (status != RIP_OK)
		return status;
	pool->slots[slot].dropped = false;
	/* In place: a copy of what was just stored field by field waits for the stores. */
	fill(pool, slot, stack_ret);
	return RIP_OK;
}

/* --- Give ------------------------------------------------------------------------------------- */

void rip_stack_reached(struct rip_stack *stack, uint64_t sp)
{
	if (stack->pool && sp < (uintptr_t)stack->top - stack->pool->keep_resident)
		stack->deep = true;
}

/* Where memory is locked it cannot be given back, only cleared. */
static void clear(const struct rip_stack *stack)
{
	uint8_t *kept = stack->top - stack->pool->keep_resident;

	if (kept > stack->low && !rip_port_drop(stack->low, (size_t)(kept - stack->low)))
		kept = stack->low;
	memset(kept, 0, (size_t)(stack->top - kept));
}

/* Keeps the upper part warm. */
void rip_stack_drop_lower(const struct rip_stack *stack)
{
	uint8_t *kept = stack->top - stack->pool->keep_resident;

	if (kept > stack->low)
		rip_port_drop(stack->low, (size_t)(kept - stack->low));
}

/* True if a trim would give back whole mappings, because nobody has a stack. */
static bool all_idle(struct rip_stack_pool *pool)
{
	uint32_t made = __atomic_load_n(&pool->made, __ATOMIC_RELAXED), idle = 0;

	if (made < pool->keep_idle + (2u << pool->chunk_log2))
		return false;
	for (uint32_t i = 0; i < RIP_POOL_SHARDS; i++)
		idle += rip_shard_length(pool, i);
	return idle == made;
}

/* Many are idle. Who finds the pool being trimmed leaves it to the trimmer. */
static __attribute__((noinline)) void give_many(struct rip_stack_pool *pool, uint32_t length)
{
	if ((length >= __atomic_load_n(&pool->trim_at, __ATOMIC_RELAXED) || all_idle(pool)) &&
	    rip_lock_try(&pool->lock)) {
		rip_stack_pool_trim_locked(pool, pool->keep_idle);
		rip_lock_give(&pool->lock);
	}
}

void rip_stack_give(struct rip_stack *stack)
{
	struct rip_stack_pool *pool = stack->pool;
	struct rip_pool_slot *slot = &pool->slots[stack->slot];

	if (__builtin_expect(stack->reserve_open, 0))
		slot->left_open = rip_stack_close_reserve(stack) != RIP_OK;
	if (pool->demand)
		rip_demand_clear(stack);
	else if (pool->zero)
		clear(stack);
	else if (__builtin_expect(stack->deep || ++slot->uses % LOOK_EVERY == 0, 0))
		rip_stack_drop_lower(stack);
	uint32_t length = rip_shard_push(pool, rip_shard_mine(), stack->slot);
	if (__builtin_expect(length > pool->keep_idle, 0))
		give_many(pool, length);
}
