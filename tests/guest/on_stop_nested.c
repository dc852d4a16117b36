/* SPDX-License-Identifier: MIT
 * What goes wrong in the on_stop of a guest inside another is the outer guest's: it is stopped, and the inner one stays
 * STOPPED until somebody unwinds it. */
#include <stdlib.h>
#include <string.h>

#include "run_guest.h"
#include "ripcord/kill.h"
#include "ripcord/ripcord.h"

enum way { FAULTS, OVERFLOWS, ABORTS, IN_LIBRARY, IN_ANOTHER, SPINS, SLEEPS, KILLS, RETURNS, WAYS };
static const char *const names[] = { "a fault", "an overflow", "an abort", "a bad pointer to a function of ours",
				     "a fault after another guest's", "a loop", "a sleep", "a kill of the outer", "a return" };
static const rip_cause causes[] = { RIP_CAUSE_FAULT, RIP_CAUSE_OVERFLOW, RIP_CAUSE_ABORTED, RIP_CAUSE_FAULT, RIP_CAUSE_FAULT,
				    RIP_CAUSE_DEADLINE, RIP_CAUSE_DEADLINE, RIP_CAUSE_DEADLINE, RIP_CAUSE_RETURNED };

enum { MILLISECONDS_20 = 20 * 1000 * 1000 };

static enum way way;
static rip_guest *inner_guest, *outer_guest;
static volatile unsigned long spins;
static rip_state seen;

static int deep(int n)
{
	volatile char room[500];

	room[0] = (char)n;
	return n < 0 ? 0 : deep(n + 1) + room[0];
}
static int (*volatile call_deep)(int) = deep;

static intptr_t fault(void *unused)
{
	int held HOLD = acquire(2);

	(void)unused;
	*null_pointer = 1;
	return held;
}

static void run_another(void)
{
	rip_guest *another;
	rip_outcome outcome;

	if (rip_create(NULL, &another) == RIP_OK) {
		rip_run(another, fault, NULL, &outcome);
		rip_destroy(another);
	}
	*null_pointer = 1;
}

static bool is_killed(void)
{
	return way == SPINS || way == SLEEPS || way == KILLS;
}

static void spin_on(void)
{
	for (;;)
		spins++;
}

static void go_wrong(rip_guest *stopped, void *context)
{
	rip_handle handle;

	(void)context;
	/* Not before the inner one has stopped, however slow the machine is. */
	if (is_killed())
		rip_set_deadline(outer_guest, MILLISECONDS_20);
	if (rip_destroy(stopped) != RIP_E_STATE || rip_exit_guest(outer_guest, NULL, 1) != RIP_E_STATE)
		return;
	switch (way) {
	case FAULTS: *null_pointer = 1; break;
	case OVERFLOWS: sink = call_deep(0); break;
	case ABORTS: abort();
	case IN_LIBRARY: rip_get_handle(stopped, (rip_handle *)8); *null_pointer = 1; break;
	case IN_ANOTHER: run_another(); break;
	case KILLS:
		rip_get_handle(outer_guest, &handle);
		rip_kill(handle, RIP_SOFT);
		spin_on();
		break;
	case SPINS: spin_on(); break;
	case SLEEPS:
		for (;;)
			sleep(1000);
	default: break;
	}
}

static void unwind_inner(int *unused)
{
	(void)unused;
	seen = rip_get_state(inner_guest);
	rip_destroy(inner_guest);
	inner_guest = NULL;
}

static intptr_t outer(void *unused)
{
	const rip_options options = { .on_stop = go_wrong };
	int held HOLD = acquire(0);
	rip_outcome outcome;

	(void)unused;
	if (rip_create(&options, &inner_guest) != RIP_OK)
		return 1;
	int guard __attribute__((cleanup(unwind_inner), unused)) = 1;
	rip_run(inner_guest, fault, NULL, &outcome);
	return held ? 2 : 3;
}

static void test(void)
{
	const rip_options options = { .grace = MILLISECONDS_20 };
	const rip_options patient = { .stack_size = 0 };
	rip_outcome outcome;

	resources_reset();
	rip_create(is_killed() ? &options : &patient, &outer_guest);
	rip_run(outer_guest, outer, NULL, &outcome);
	rip_cause cause = outcome.cause == RIP_CAUSE_KILLED && way == KILLS ? RIP_CAUSE_DEADLINE : outcome.cause;
	tap_ok(cause == causes[way] && seen == (way == RETURNS ? RIP_STATE_ENDED : RIP_STATE_STOPPED), "%s: %s, the inner one %s",
	       names[way], rip_cause_name(outcome.cause), rip_state_name(seen));
	tap_equal(resources_held(), 0, "all is released");
	tap_ok(rip_self() == NULL && rip_destroy(outer_guest) == RIP_OK, "and nobody is left");
}

int main(void)
{
	for (way = FAULTS; way < WAYS; way++)
		test();
	tap_done();
}
