/* SPDX-License-Identifier: MIT
 * stack: all stacks there are, for debuggers, and for forks. */
#include "stack/pool.h"

struct rip_stack_registry rip_stack_registry;

static struct rip_lock lock = RIP_LOCK_INIT;

_Static_assert(sizeof(struct rip_lone) <= RIP_STACK_COLD - RIP_STACK_COLD_USABLE, "it has its place");

void rip_registry_add_pool(struct rip_stack_pool *pool)
{
	rip_lock_take(&lock);
	pool->next = rip_stack_registry.pools;
	pool->link = &rip_stack_registry.pools;
	if (pool->next)
		pool->next->link = &pool->next;
	rip_stack_registry.pools = pool;
	rip_lock_give(&lock);
}

void rip_registry_remove_pool(struct rip_stack_pool *pool)
{
	rip_lock_take(&lock);
	*pool->link = pool->next;
	if (pool->next)
		pool->next->link = pool->link;
	rip_lock_give(&lock);
}

/* A shared pool is made under its own lock, and comes to the list under this one. */
void rip_stack_before_fork(void)
{
	rip_shared_lock();
	rip_lock_take(&lock);
	for (struct rip_stack_pool *pool = rip_stack_registry.pools; pool; pool = pool->next)
		rip_lock_take(&pool->lock);
}

void rip_stack_after_fork(void)
{
	for (struct rip_stack_pool *pool = rip_stack_registry.pools; pool; pool = pool->next)
		rip_lock_give(&pool->lock);
	rip_lock_give(&lock);
	rip_shared_unlock();
}

static struct rip_lone *lone_of(const struct rip_stack *stack)
{
	return (struct rip_lone *)(void *)((uint8_t *)stack->cold + RIP_STACK_COLD_USABLE);
}

void rip_registry_add_lone(const struct rip_stack *stack)
{
	struct rip_lone *lone = lone_of(stack);

	rip_lock_take(&lock);
	*lone = (struct rip_lone){ rip_stack_registry.lone, &rip_stack_registry.lone, stack->block };
	if (lone->next)
		lone->next->link = &lone->next;
	rip_stack_registry.lone = lone;
	rip_lock_give(&lock);
}

void rip_registry_remove_lone(const struct rip_stack *stack)
{
	struct rip_lone *lone = lone_of(stack);

	rip_lock_take(&lock);
	*lone->link = lone->next;
	if (lone->next)
		lone->next->link = lone->link;
	rip_lock_give(&lock);
}
