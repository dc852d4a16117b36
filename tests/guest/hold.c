/* SPDX-License-Identifier: MIT
 * Guests that stay stopped (rip_options.hold): looked at, and then unwound, by this thread or another. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>

#include "run_guest.h"
#include "ripcord/unwind.h"

static rip_guest *guest;
static rip_outcome outcome;

NOINLINE static void faults(void)
{
	int a HOLD = acquire(1);

	*null_pointer = a;
}

NOINLINE static void exits(void)
{
	int a HOLD = acquire(1);

	rip_exit(6 + (a & 0));
}

static intptr_t work(void *how)
{
	int a HOLD = acquire(0);

	(*(void (*volatile *)(void))how)();
	return a;
}

static void (*volatile by_fault)(void) = faults, (*volatile by_exit)(void) = exits;
static int walked, seen_work;
static rip_status look_status;

/* The innermost frames, as any thread sees them. */
static void *look(void *unused)
{
	rip_unwind_cursor cursor;
	rip_unwind_frame frame;

	(void)unused;
	walked = seen_work = 0;
	look_status = rip_unwind_guest(&cursor, guest);
	if (look_status != RIP_OK)
		return NULL;
	do {
		walked++;
		if (rip_unwind_describe(&cursor, &frame) == RIP_OK)
			seen_work += frame.function == (uintptr_t)work;
	} while (rip_unwind_step(&cursor) == RIP_OK && walked < 100);
	return NULL;
}

static void *unwind_it(void *status_ret)
{
	*(rip_status *)status_ret = rip_unwind(guest, &outcome);
	return NULL;
}

static void on_thread(void *(*function)(void *), void *argument)
{
	pthread_t thread;

	pthread_create(&thread, NULL, function, argument);
	pthread_join(thread, NULL);
}

static void stop_it(void *how, rip_cause cause)
{
	rip_options options = { .hold = true };
	const rip_report *report;

	resources_reset();
	rip_create(&options, &guest);
	rip_run(guest, work, how, &outcome);
	report = rip_get_report(guest);
	tap_ok(outcome.cause == cause && rip_get_state(guest) == RIP_STATE_STOPPED && rip_self() == NULL,
	       "%s: it is stopped", rip_cause_name(cause));
	tap_ok(resources.released == 0 && report && report->cause == cause && report->cleanups_run == 0 &&
	       report->frames_total == 2, "nothing is released; the report is made");
	tap_ok(rip_run(guest, work, how, &outcome) == RIP_E_STATE &&
	       rip_resume(guest, NULL, 0, &outcome) == RIP_E_STATE, "it cannot run or be resumed");
}

static void looked_at(void)
{
	stop_it((void *)&by_fault, RIP_CAUSE_FAULT);
	on_thread(look, NULL);
	tap_ok(look_status == RIP_OK && walked >= 3 && seen_work == 1, "another thread walks its stack (%d frames)", walked);
	look(NULL);
	tap_ok(look_status == RIP_OK && seen_work == 1, "and so does this one, again");
}

static void released(const char *name)
{
	expect_clean(name, 2);
	tap_equal(rip_destroy(guest), RIP_OK, "destroy");
	expect_clean(name, 2);
}

static void every_way(void)
{
	rip_status status = 99;

	looked_at();
	tap_equal(rip_unwind(guest, &outcome), RIP_OK, "unwound here");
	tap_ok(outcome.cause == RIP_CAUSE_FAULT && rip_get_report(guest)->cleanups_run == 2 &&
	       rip_get_state(guest) == RIP_STATE_ENDED, "outcome and report");
	tap_equal(rip_unwind(guest, &outcome), RIP_E_STATE, "once only");
	released("unwound here");

	looked_at();
	on_thread(unwind_it, &status);
	tap_ok(status == RIP_OK && outcome.cause == RIP_CAUSE_FAULT, "unwound on another thread");
	released("unwound on another thread");

	looked_at();
	tap_equal(rip_destroy(guest), RIP_OK, "destroyed");
	expect_clean("destroyed", 2);

	looked_at();
	tap_equal(rip_reset(guest), RIP_OK, "reset");
	expect_clean("reset", 2);
	tap_ok(rip_get_state(guest) == RIP_STATE_NEW && !rip_get_report(guest), "as good as new");
	resources_reset();
	rip_run(guest, work, (void *)&by_exit, &outcome);
	tap_ok(outcome.cause == RIP_CAUSE_EXITED && outcome.value == 6 && rip_get_state(guest) == RIP_STATE_STOPPED,
	       "an exit is held, too");
	tap_equal(rip_destroy(guest), RIP_OK, "destroy");
	expect_clean("an exit", 2);
}

/* A held guest inside another, which ends; and one held because its outer guest was ended. */
static rip_guest *outer_guest;

static intptr_t exits_outer(void *unused)
{
	int a HOLD = acquire(3);

	(void)unused;
	rip_exit_guest(outer_guest, NULL, 8);
	return a;
}

static intptr_t runs_inner(void *function)
{
	int a HOLD = acquire(2);
	rip_options options = { .hold = true };
	rip_outcome o;

	rip_create(&options, &guest);
	rip_run(guest, (rip_function)(uintptr_t)function, (void *)&by_fault, &o);
	return a;
}

static void inside(void)
{
	rip_outcome o;

	resources_reset();
	rip_create(NULL, &outer_guest);
	rip_run(outer_guest, runs_inner, (void *)(uintptr_t)work, &o);
	tap_ok(o.cause == RIP_CAUSE_RETURNED && rip_get_state(guest) == RIP_STATE_STOPPED && resources.released == 1,
	       "a guest that was run inside another stays stopped when that has ended");
	look(NULL);
	tap_ok(look_status == RIP_OK && seen_work == 1, "and can be looked at");
	rip_destroy(guest);
	expect_clean("held inside", 3);
	resources_reset();
	rip_reset(outer_guest);
	rip_run(outer_guest, runs_inner, (void *)(uintptr_t)exits_outer, &o);
	tap_ok(o.cause == RIP_CAUSE_EXITED && o.value == 8 && rip_get_state(guest) == RIP_STATE_STOPPED &&
	       rip_get_report(guest)->cause == RIP_CAUSE_OUTER, "one that ended its outer guest is held");
	rip_unwind(guest, &o);
	tap_equal(o.cause, RIP_CAUSE_OUTER, "and unwound later");
	expect_clean("ended outer", 2);
	rip_destroy(guest);
	rip_destroy(outer_guest);
}

int main(void)
{
	every_way();
	inside();
	tap_done();
}
