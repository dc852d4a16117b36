/* SPDX-License-Identifier: MIT
 * stack: the lists of idle stacks. */
#include "stack/pool.h"

enum { COUNT_SHIFT = 32 };

static __thread uint32_t mine __attribute__((tls_model("initial-exec"))); /* + 1; 0: not chosen yet */

uint32_t rip_shard_mine(void)
{
	static uint32_t next;

	if (__builtin_expect(mine == 0, 0))
		mine = 1 + __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % RIP_POOL_SHARDS;
	return mine - 1;
}

static uint64_t changed(uint64_t head, uint32_t slot)
{
	return (((head >> COUNT_SHIFT) + 1) << COUNT_SHIFT) | slot;
}

uint32_t rip_shard_pop(struct rip_stack_pool *pool, uint32_t shard)
{
	uint64_t *at = &pool->shard[shard].head, head = __atomic_load_n(at, __ATOMIC_ACQUIRE);

	while ((uint32_t)head != 0) {
		uint32_t slot = (uint32_t)head,
			 next = __atomic_load_n(&pool->slots[slot].next, __ATOMIC_RELAXED);
		if (__atomic_compare_exchange_n(at, &head, changed(head, next), true, __ATOMIC_ACQUIRE,
						__ATOMIC_ACQUIRE))
			return slot;
	}
	return 0;
}

uint32_t rip_shard_push(struct rip_stack_pool *pool, uint32_t shard, uint32_t slot)
{
	uint64_t *at = &pool->shard[shard].head, head = __atomic_load_n(at, __ATOMIC_ACQUIRE);
	struct rip_pool_slot *pushed = &pool->slots[slot];
	uint32_t depth;

	do {
		uint32_t below = (uint32_t)head;
		/* Of a head that changes meanwhile this may be anything; then it is read again. */
		depth = below ? __atomic_load_n(&pool->slots[below].depth, __ATOMIC_RELAXED) + 1 : 1;
		__atomic_store_n(&pushed->next, below, __ATOMIC_RELAXED);
		__atomic_store_n(&pushed->depth, depth, __ATOMIC_RELAXED);
	} while (!__atomic_compare_exchange_n(at, &head, changed(head, slot), true, __ATOMIC_RELEASE,
					      __ATOMIC_ACQUIRE));
	return depth;
}

uint32_t rip_shard_drain(struct rip_stack_pool *pool, uint32_t shard)
{
	uint64_t *at = &pool->shard[shard].head, head = __atomic_load_n(at, __ATOMIC_ACQUIRE);

	while (!__atomic_compare_exchange_n(at, &head, changed(head, 0), true, __ATOMIC_ACQUIRE,
					    __ATOMIC_ACQUIRE))
		;
	return (uint32_t)head;
}

uint32_t rip_shard_length(struct rip_stack_pool *pool, uint32_t shard)
{
	uint32_t slot = (uint32_t)__atomic_load_n(&pool->shard[shard].head, __ATOMIC_ACQUIRE);

	return slot ? __atomic_load_n(&pool->slots[slot].depth, __ATOMIC_RELAXED) : 0;
}
