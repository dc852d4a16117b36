/* SPDX-License-Identifier: MIT
 * stack: stacks whose pages an embedder supplies: the thread that asks it. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "port/port.h"
#include "stack/pool.h"

struct rip_demand {
	struct rip_port_demand port;
	rip_pool_supplier supply;
	void *context;
	uint8_t *page;            /* what the supplier writes to */
	pthread_t thread;
	size_t supplied, refused; /* atomic */
};

_Static_assert(RIP_POOL_PAGE == RIP_STACK_PAGE, "suppliers are told the page size");

/* A page that is refused becomes a guard: who waits for it faults. Where it cannot (no mapping left to
 * divide), the supplier is asked again. */
static void refuse(struct rip_demand *demand, uint64_t address)
{
	uint8_t *page = (uint8_t *)(uintptr_t)address;

	if ((!rip_stack_no_markers && rip_port_mark(page, RIP_STACK_PAGE) == RIP_OK) ||
	    rip_port_close(page, RIP_STACK_PAGE) == RIP_OK)
		__atomic_fetch_add(&demand->refused, 1, __ATOMIC_RELAXED);
	rip_port_demand_wake(&demand->port, address);
}

static void serve(struct rip_demand *demand, uint64_t address)
{
	rip_supply answer = demand->supply(demand->context, (uintptr_t)address, demand->page);

	if (answer != RIP_SUPPLY_ZERO && answer != RIP_SUPPLY_PAGE)
		refuse(demand, address);
	else if (rip_port_demand_supply(&demand->port, address,
					answer == RIP_SUPPLY_PAGE ? demand->page : NULL))
		__atomic_fetch_add(&demand->supplied, 1, __ATOMIC_RELAXED);
}

static void *run(void *argument)
{
	struct rip_demand *demand = argument;
	uint64_t address;

	while (rip_port_demand_wait(&demand->port, &address))
		serve(demand, address);
	return NULL;
}

/* The host's signals are not for this thread. */
static int start_thread(struct rip_demand *demand)
{
	sigset_t all, mask;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	int error = pthread_create(&demand->thread, NULL, run, demand);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	return error;
}

rip_status rip_demand_create(rip_pool_supplier supply, void *context, struct rip_demand **demand_ret)
{
	struct rip_demand *demand = calloc(1, sizeof *demand);
	uint8_t *page = aligned_alloc(RIP_STACK_PAGE, RIP_STACK_PAGE);
	rip_status status = demand && page ? rip_port_demand_open(&demand->port) :
					     rip_port_fail(RIP_E_NOMEM, "aligned_alloc", ENOMEM);

	if (status == RIP_OK) {
		demand->supply = supply;
		demand->context = context;
		demand->page = page;
		int error = start_thread(demand);
		if (error != 0) {
			rip_port_demand_close(&demand->port);
			status = rip_port_fail(RIP_E_NOMEM, "pthread_create", error);
		}
	}
	if (status == RIP_OK) {
		*demand_ret = demand;
	} else {
		free(page);
		free(demand);
	}
	return status;
}

void rip_demand_destroy(struct rip_demand *demand)
{
	rip_port_demand_stop(&demand->port);
	rip_lock_join(demand->thread);
	rip_port_demand_close(&demand->port);
	free(demand->page);
	free(demand);
}

rip_status rip_demand_add(const struct rip_demand *demand, const struct rip_layout *layout,
			  const struct rip_chunk *chunk)
{
	return rip_port_demand_register(&demand->port, chunk->map, chunk->slots * layout->stride);
}

void rip_demand_clear(const struct rip_stack *stack)
{
	size_t size = (size_t)(stack->top - stack->low);

	rip_port_drop(stack->low, size);
	rip_port_unmark(stack->low, size);
	if (!stack->soft)
		rip_port_open(stack->low, size);
}

void rip_demand_add_stats(const struct rip_demand *demand, rip_pool_stats *stats)
{
	stats->kernel_faults |= demand->port.kernel_faults;
	stats->supplied += __atomic_load_n(&demand->supplied, __ATOMIC_RELAXED);
	stats->refused += __atomic_load_n(&demand->refused, __ATOMIC_RELAXED);
}
