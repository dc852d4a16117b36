/* SPDX-License-Identifier: MIT
 * guest: the public pools: stacks, and the fault handlers for as long as the pool is there. */
#include <errno.h>
#include <stdlib.h>

#include "base/probe.h"
#include "kill/handle.h"
#include "guest/state.h"
#include "port/port.h"

struct rip_pool {
	const rip_pool *self; /* what tells it from other memory */
	struct rip_stack_pool *stacks;
};

bool rip_is_pool(const rip_pool *pool)
{
	return pool->self == pool;
}

struct rip_stack_pool *rip_pool_stacks(rip_pool *pool)
{
	return pool->stacks;
}

static rip_status configure(const rip_pool_options *options, struct rip_stack_pool_config *config_ret)
{
	static const rip_pool_options defaults;
	const rip_pool_options *o = options ? options : &defaults;
	size_t reserve = o->reserve_size ? o->reserve_size : RIP_RESERVE_DEFAULT;

	if (o->stack_size != 0 && o->stack_size < RIP_STACK_MIN)
		return RIP_E_ARGUMENT;
	if (o->kind != RIP_POOL_PLAIN && o->kind != RIP_POOL_ON_DEMAND)
		return RIP_E_ARGUMENT;
	if ((o->kind == RIP_POOL_ON_DEMAND) != (o->supply != NULL))
		return RIP_E_ARGUMENT;
	*config_ret = (struct rip_stack_pool_config){
		.stack_size = o->stack_size ? o->stack_size : RIP_STACK_DEFAULT,
		.reserve_size = reserve < RIP_RESERVE_MIN ? RIP_RESERVE_MIN : reserve,
		.capacity = o->capacity,
		.keep_resident = o->keep_resident,
		.keep_idle = o->keep_idle,
		.zero = o->zero,
		.supply = o->supply,
		.supply_context = o->supply_context,
	};
	return RIP_OK;
}

static rip_status create(const struct rip_stack_pool_config *config, rip_pool **pool_ret)
{
	rip_pool *pool = malloc(sizeof *pool);

	if (!pool)
		return rip_port_fail(RIP_E_NOMEM, "malloc", ENOMEM);
	rip_status status = rip_stack_pool_create(config, &pool->stacks);
	if (status == RIP_OK) {
		status = rip_fault_acquire(rip_guest_take_fault);
		if (status != RIP_OK)
			rip_stack_pool_destroy(pool->stacks);
	}
	if (status != RIP_OK) {
		free(pool);
		return status;
	}
	pool->self = pool;
	*pool_ret = pool;
	return RIP_OK;
}

rip_status rip_pool_create(const rip_pool_options *options, rip_pool **pool_ret)
{
	struct rip_stack_pool_config config;

	if (!pool_ret)
		return RIP_E_ARGUMENT;
	rip_status status = configure(options, &config);
	if (status != RIP_OK)
		return status;
	rip_probe(pool_ret, sizeof *pool_ret);
	rip_guest *caller = begin_call(CREATE_STACK);
	status = create(&config, pool_ret);
	end_busy(caller);
	return status;
}

static rip_status destroy(rip_pool *pool)
{
	rip_status status = rip_stack_pool_destroy(pool->stacks);

	if (status != RIP_OK)
		return status;
	rip_fault_release();
	RIP_MARK_DESTROYED(pool->self);
	free(pool);
	return RIP_OK;
}

rip_status rip_pool_destroy(rip_pool *pool)
{
	if (!pool)
		return RIP_OK;
	if (!rip_is_pool(pool))
		return RIP_E_ARGUMENT;
	rip_guest *caller = begin_call(DESTROY_STACK);
	rip_status status = destroy(pool);
	end_busy(caller);
	return status;
}

void rip_pool_trim(rip_pool *pool)
{
	if (pool && !rip_is_pool(pool))
		return;
	rip_guest *caller = begin_call(DESTROY_STACK);
	rip_stack_pool_trim(pool ? pool->stacks : NULL, 0);
	if (!pool)
		rip_slot_trim();
	end_busy(caller);
}

rip_status rip_pool_get_stats(rip_pool *pool, rip_pool_stats *stats_ret)
{
	rip_pool_stats stats;

	if (!stats_ret || (pool && !rip_is_pool(pool)))
		return RIP_E_ARGUMENT;
	rip_guest *caller = begin_call(WATCH_STACK);
	rip_stack_pool_stats(pool ? pool->stacks : NULL, &stats);
	end_busy(caller);
	*stats_ret = stats;
	return RIP_OK;
}
