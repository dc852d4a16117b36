/* SPDX-License-Identifier: MIT
 * guests: one guest in each state, for a debugger to find; guests_gdb.sh looks at them. Here only: the program comes to
 * its end with or without a debugger. */
#include <pthread.h>

#include "tap.h"
#include "ripcord/ripcord.h"
#include "ripcord/pool.h"

#define NOINLINE __attribute__((noinline, noclone))

static volatile int sink;
static int *volatile null_pointer;
static pthread_barrier_t barrier;

NOINLINE static void here(void)
{
	sink++;
}

/* --- Guests ------------------------------------------------------------------------------------ */

NOINLINE static int wait_for_fish(int caught)
{
	volatile int bait = caught + 1;

	rip_yield(NULL, caught, NULL, NULL);
	return bait;
}

NOINLINE static intptr_t fisher(void *argument)
{
	volatile int boat = (int)(intptr_t)argument;

	boat += wait_for_fish(boat * 2);
	return boat;
}

NOINLINE static int break_cup(int pieces)
{
	volatile int left = pieces;

	*null_pointer = left;
	return left;
}

NOINLINE static intptr_t breaker(void *argument)
{
	volatile int cups = (int)(intptr_t)argument;

	return cups + break_cup(cups + 3);
}

NOINLINE static intptr_t runner(void *argument)
{
	(void)argument;
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return sink;
}

NOINLINE static intptr_t looker(void *argument)
{
	(void)argument;
	here();
	return sink;
}

NOINLINE static intptr_t nester(void *argument)
{
	rip_guest *inner;
	rip_outcome outcome = { RIP_CAUSE_NONE };

	(void)argument;
	if (rip_create(NULL, &inner) == RIP_OK)
		rip_run(inner, looker, NULL, &outcome);
	rip_destroy(inner);
	return outcome.cause;
}

/* --- The program ------------------------------------------------------------------------------- */

static rip_guest *make(const rip_options *options)
{
	rip_guest *guest = NULL;

	tap_ok(rip_create(options, &guest) == RIP_OK, "a guest is made");
	return guest;
}

static rip_cause run(rip_guest *guest, rip_function function, intptr_t argument)
{
	rip_outcome outcome = { RIP_CAUSE_NONE };

	rip_run(guest, function, (void *)argument, &outcome);
	return outcome.cause;
}

static void *run_elsewhere(void *guest)
{
	run(guest, runner, 0);
	return NULL;
}

int main(void)
{
	rip_pool *pool;
	rip_pool_options few = { .capacity = 4 };
	pthread_t thread;
	rip_outcome outcome;

	pthread_barrier_init(&barrier, NULL, 2);
	tap_ok(rip_pool_create(&few, &pool) == RIP_OK, "a pool is made");
	rip_options pooled = { .pool = pool }, large = { .stack_size = 16 << 20 }, held = { .hold = true };

	rip_destroy(make(NULL)); /* whose stack keeps its block */
	rip_guest *fishing = make(NULL), *broken = make(&held), *far = make(&large), *running = make(&pooled);
	rip_guest *fresh = make(NULL), *done = make(NULL), *nesting = make(NULL);
	tap_equal(run(fishing, fisher, 20), RIP_CAUSE_YIELDED, "one yields");
	tap_equal(run(broken, breaker, 4), RIP_CAUSE_FAULT, "one faults, and is held");
	tap_equal(run(far, fisher, 5), RIP_CAUSE_YIELDED, "one with a large stack yields");
	tap_equal(run(done, looker, 0), RIP_CAUSE_RETURNED, "one returns");
	pthread_create(&thread, NULL, run_elsewhere, running);
	pthread_barrier_wait(&barrier);
	tap_equal(run(nesting, nester, 0), RIP_CAUSE_RETURNED, "one runs another");

	tap_ok(rip_resume(fishing, NULL, 0, &outcome) == RIP_OK && outcome.value == 61, "the first goes on as it was");
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	rip_guest *all[] = { fishing, broken, far, running, fresh, done, nesting };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		rip_destroy(all[i]);
	tap_ok(rip_pool_destroy(pool) == RIP_OK, "the pool is destroyed");
	here();
	tap_done();
}
