/* SPDX-License-Identifier: MIT
 * Guests for kills, and the thread that kills them. Threads wait for each other by flags, never by time. */
#ifndef TEST_KILL_LIB_H
#define TEST_KILL_LIB_H

#include <pthread.h>
#include <sched.h>

#include "ripcord/kill.h"
#include "ripcord/poll.h"
#include "run_guest.h"

/* What one thread has come to, for another to wait for. */
static int reached;

NOINLINE static void come_to(int place)
{
	__atomic_store_n(&reached, place, __ATOMIC_SEQ_CST);
}

NOINLINE static void wait_for(int place)
{
	while (__atomic_load_n(&reached, __ATOMIC_SEQ_CST) != place)
		sched_yield();
}

struct killing {
	rip_handle handle;
	rip_rung rung;
	int when;           /* the place to wait for */
	rip_status status;  /* what rip_kill said */
	pthread_t thread;
};

static void *kill_when(void *context)
{
	struct killing *killing = context;

	wait_for(killing->when);
	killing->status = rip_kill(killing->handle, killing->rung);
	return NULL;
}

/* Runs function(argument) in a guest that another thread kills when it has come to place 1. */
NOINLINE static rip_outcome run_killed(const rip_options *options, rip_rung rung, rip_function function, void *argument,
				       rip_report *report_ret)
{
	struct killing killing = { .rung = rung, .when = 1, .status = 1 };
	rip_outcome outcome = { RIP_CAUSE_NONE, 0, NULL };
	rip_guest *guest;

	come_to(0);
	if (rip_create(options, &guest) != RIP_OK || rip_get_handle(guest, &killing.handle) != RIP_OK)
		tap_ok(0, "a guest with a handle");
	pthread_create(&killing.thread, NULL, kill_when, &killing);
	if (rip_run(guest, function, argument, &outcome) != RIP_OK)
		tap_ok(0, "it runs");
	come_to(1); /* if it ended before */
	pthread_join(killing.thread, NULL);
	*report_ret = *rip_get_report(guest);
	tap_ok(killing.status == RIP_OK || killing.status == RIP_E_GONE, "rip_kill: %s",
	       rip_status_name(killing.status));
	tap_equal(rip_kill(killing.handle, rung), RIP_E_GONE, "and afterwards GONE");
	rip_destroy(guest);
	return outcome;
}

#endif
