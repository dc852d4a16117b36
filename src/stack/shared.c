/* SPDX-License-Identifier: MIT
 * stack: the process-wide pools, one for each pair of sizes that has been asked for. */
#include <string.h>

#include "stack/pool.h"

/* More sizes than these, and larger stacks, have mappings of their own. */
enum { POOLS = 16, POOLED_SIZE_MAX = 8 << 20 };

static struct shared {
	size_t size, reserve;
	struct rip_stack_pool *pool; /* atomic; written last, and never again */
} shared[POOLS];
static struct rip_lock lock = RIP_LOCK_INIT;

void rip_shared_lock(void)
{
	rip_lock_take(&lock);
}

void rip_shared_unlock(void)
{
	rip_lock_give(&lock);
}

static struct rip_stack_pool *pool_at(unsigned i)
{
	return __atomic_load_n(&shared[i].pool, __ATOMIC_ACQUIRE);
}

/* NULL: there is none; then *free_ret is where one could be, or POOLS. */
static struct rip_stack_pool *find(size_t size, size_t reserve, unsigned *free_ret)
{
	struct rip_stack_pool *pool = NULL;
	unsigned i;

	for (i = 0; i < POOLS && (pool = pool_at(i)) != NULL; i++)
		if (shared[i].size == size && shared[i].reserve == reserve)
			return pool;
	*free_ret = i;
	return NULL;
}

static __attribute__((noinline)) rip_status add(size_t size, size_t reserve, struct rip_stack_pool **pool_ret)
{
	struct rip_stack_pool_config config = { .stack_size = size, .reserve_size = reserve };
	rip_status status = RIP_OK;
	unsigned i;

	rip_lock_take(&lock);
	struct rip_stack_pool *pool = find(size, reserve, &i);
	if (!pool && i < POOLS) {
		status = rip_stack_pool_create(&config, &pool);
		if (status == RIP_OK) {
			shared[i].size = size;
			shared[i].reserve = reserve;
			__atomic_store_n(&shared[i].pool, pool, __ATOMIC_RELEASE);
		}
	}
	rip_lock_give(&lock);
	if (status == RIP_OK)
		*pool_ret = pool;
	return status;
}

rip_status rip_stack_take(size_t size, size_t reserve, struct rip_stack *stack_ret)
{
	struct rip_stack_pool *pool = NULL;
	rip_status status = RIP_OK;
	unsigned unused;

	if (size <= POOLED_SIZE_MAX && reserve <= POOLED_SIZE_MAX) {
		pool = find(size, reserve, &unused);
		if (__builtin_expect(!pool, 0))
			status = add(size, reserve, &pool);
	}
	if (status != RIP_OK)
		return status;
	return pool ? rip_stack_pool_take(pool, stack_ret) : rip_stack_create(size, reserve, stack_ret);
}

static void trim(struct rip_stack_pool *pool, size_t keep)
{
	rip_lock_take(&pool->lock);
	rip_stack_pool_trim_locked(pool, keep);
	rip_lock_give(&pool->lock);
}

void rip_stack_pool_trim(struct rip_stack_pool *pool, size_t keep)
{
	if (pool)
		trim(pool, keep);
	else
		for (unsigned i = 0; i < POOLS && (pool = pool_at(i)) != NULL; i++)
			trim(pool, keep);
}

void rip_stack_pool_stats(struct rip_stack_pool *pool, rip_pool_stats *stats_ret)
{
	rip_pool_stats stats;

	memset(&stats, 0, sizeof stats);
	if (pool)
		rip_stack_pool_add_stats(pool, &stats);
	else
		for (unsigned i = 0; i < POOLS && (pool = pool_at(i)) != NULL; i++)
			rip_stack_pool_add_stats(pool, &stats);
	*stats_ret = stats;
}
