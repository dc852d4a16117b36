/* SPDX-License-Identifier: MIT
 * Guests for kills, and the thread that kills them. Threads wait for each other by flags, never by time. */
#ifndef TEST_KILL_LIB_H
#define TEST_KILL_LIB_H

#include <pthread.h>
#include <sched.h>
#include <signal.h>

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

/* What guests count that run until they are killed. */
static volatile unsigned long spins __attribute__((unused));
/* By it, the access may trap: a call around it has a landing pad. */
static volatile unsigned long *volatile where __attribute__((unused)) = &spins;

/* Code that the compiler knows nothing of. */
NOINLINE RIP_NO_POLL static void foreign_work(unsigned long times)
{
	for (unsigned long i = 0; i < times; i++)
		(*where)++;
}

NOINLINE static intptr_t spin(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	for (;;)
		spins++;
	return sink;
}

/* From place 1 on. */
NOINLINE static intptr_t come_and_spin(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	come_to(1);
	for (;;)
		spins++;
	return sink;
}

/* While everything is blocked a fault would be the process's end. Nudges always come where it is unblocked: from there
 * it is less than 400 steps to a poll. A return that is hooked may be that of the function which has just blocked the
 * very signal that the hook uses. */
NOINLINE static intptr_t block_now_and_then(void *unused)
{
	int a HOLD = acquire(0);
	sigset_t all, before;

	(void)unused;
	sigfillset(&all);
	come_to(1);
	for (;;) {
		pthread_sigmask(SIG_BLOCK, &all, &before);
		spins++;
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		for (int i = 0; i < 10; i++)
			spins++;
	}
	return sink;
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
