/* SPDX-License-Identifier: MIT
 * rip_exit and rip_exit_guest: the payload arrives from any depth, through segments, hostcalls, cleanups and nested
 * guests; those in between end, too. */
#include <stdint.h>

#include "run_guest.h"

enum { GUESTS = 6 };

static const rip_type payload = { "payload", NULL };
static struct { int x; } object;
static rip_guest *guests[GUESTS];
static rip_outcome outcomes[GUESTS];
static int target, from_host;

/* --- Through nested guests --------------------------------------------------------------------- */

static intptr_t level(void *number);

NOINLINE static void end_target(void)
{
	rip_exit_guest(guests[target], &payload, (intptr_t)&object);
}

static intptr_t ends(void *unused)
{
	int a HOLD = acquire(40);

	(void)unused;
	(*(void (*volatile)(void))end_target)();
	return a;
}

static intptr_t runs_next(void *number)
{
	int n = (int)(intptr_t)number;
	int a HOLD = acquire(20 + n);

	rip_run(guests[n + 1], level, (void *)(intptr_t)(n + 1), &outcomes[n + 1]);
	return a;
}

static intptr_t level(void *number)
{
	int a HOLD = acquire((int)(intptr_t)number);
	rip_outcome o;

	if ((intptr_t)number + 1 < GUESTS)
		rip_call((rip_function)runs_next, number, &o);
	else if (from_host)
		rip_hostcall(ends, NULL);
	else
		rip_call(ends, NULL, &o);
	return a;
}

static void to_each_level(void)
{
	for (from_host = 0; from_host < 2; from_host++)
		for (target = 0; target < GUESTS; target++) {
			int wrong = 0;
			resources_reset();
			for (int i = 0; i < GUESTS; i++) {
				outcomes[i] = (rip_outcome){ .cause = 99 };
				rip_create(NULL, &guests[i]);
			}
			rip_run(guests[0], level, NULL, &outcomes[0]);
			for (int i = 0; i < GUESTS; i++) {
				const rip_report *report = rip_get_report(guests[i]);
				rip_cause cause = i < target ? RIP_CAUSE_RETURNED :
						  i == target ? RIP_CAUSE_EXITED : RIP_CAUSE_OUTER;
				wrong += !report || report->cause != cause || rip_get_state(guests[i]) != RIP_STATE_ENDED;
				wrong += outcomes[i].cause != cause;
				rip_destroy(guests[i]);
			}
			wrong += outcomes[target].type != &payload || outcomes[target].value != (intptr_t)&object;
			tap_equal(wrong, 0, from_host ? "from a hostcall: outcomes of six nested guests" :
							"from a segment: outcomes of six nested guests");
			expect_clean("six nested guests", 2 * GUESTS);
		}
}

/* --- Payloads ---------------------------------------------------------------------------------- */

static intptr_t recurses_and_exits(void *depth)
{
	int a HOLD = acquire((int)((intptr_t)depth % RESOURCES));

	if (depth)
		return rip_hostcall(recurses_and_exits, (void *)((intptr_t)depth - 1)) + a;
	rip_exit(INTPTR_MIN + 5);
	return a;
}

static void payloads(void)
{
	rip_options options = { .stack_size = 1 << 20 };
	rip_report report;

	resources_reset();
	rip_outcome o = run_with(&options, recurses_and_exits, (void *)500, &report);
	tap_ok(o.cause == RIP_CAUSE_EXITED && o.value == INTPTR_MIN + 5 && !o.type && report.value == o.value,
	       "an exit from 500 hostcalls deep");
	expect_clean("500 deep", 501);
}

/* --- Who may end whom -------------------------------------------------------------------------- */

static rip_status null_guest, not_run, itself_elsewhere;
static rip_guest *waiting;

static intptr_t waits(void *unused)
{
	int a HOLD = acquire(50);

	(void)unused;
	rip_yield(NULL, 0, NULL, NULL);
	return a;
}

static intptr_t tries(void *fresh)
{
	rip_outcome o;

	null_guest = rip_exit_guest(NULL, NULL, 0);
	not_run = rip_exit_guest(fresh, NULL, 0);
	rip_create(NULL, &waiting);
	rip_run(waiting, waits, NULL, &o);
	itself_elsewhere = rip_exit_guest(waiting, NULL, 0);
	return 1;
}

static void refused(void)
{
	rip_guest *fresh;
	rip_report report;

	resources_reset();
	rip_create(NULL, &fresh);
	tap_equal(rip_exit_guest(fresh, NULL, 0), RIP_E_STATE, "rip_exit_guest off a guest");
	tap_equal(rip_exit_guest(NULL, NULL, 0), RIP_E_ARGUMENT, "rip_exit_guest of nothing");
	rip_outcome o = run_guest(tries, fresh, &report);
	tap_ok(o.value == 1 && null_guest == RIP_E_ARGUMENT && not_run == RIP_E_STATE && itself_elsewhere == RIP_E_STATE,
	       "not NULL, nor a guest that is not run from here, nor one that waits");
	tap_ok(rip_get_state(waiting) == RIP_STATE_YIELDED && resources.released == 0,
	       "an inner guest that waits still does when the outer one has ended");
	rip_resume(waiting, NULL, 0, &o);
	tap_ok(o.cause == RIP_CAUSE_RETURNED && o.value == 50, "and goes on");
	rip_destroy(waiting);
	rip_destroy(fresh);
}

/* --- In an on_stop ----------------------------------------------------------------------------- */

static rip_guest *shown;
static rip_status exit_in_look, exit_from_inner, exit_outermost;
static rip_guest *outermost;

static intptr_t ends_shown(void *unused)
{
	(void)unused;
	exit_from_inner = rip_exit_guest(shown, NULL, 3);
	exit_outermost = rip_exit_guest(outermost, NULL, 3);
	return 12;
}

static void look(rip_guest *stopped, void *context)
{
	rip_report report;

	(void)context;
	shown = stopped;
	exit_in_look = rip_exit(4);
	rip_outcome o = run_guest(ends_shown, NULL, &report);
	tap_ok(o.cause == RIP_CAUSE_RETURNED && o.value == 12, "an on_stop can run a guest");
}

static intptr_t faults(void *unused)
{
	int a HOLD = acquire(1);

	(void)unused;
	*null_pointer = a;
	return 0;
}

static intptr_t runs_shown(void *unused)
{
	rip_options options = { .on_stop = look };
	rip_report report;

	(void)unused;
	return run_with(&options, faults, NULL, &report).cause;
}

static void in_on_stop(void)
{
	rip_outcome o = { .cause = 99 };

	resources_reset();
	rip_create(NULL, &outermost);
	rip_run(outermost, runs_shown, NULL, &o);
	tap_ok(o.cause == RIP_CAUSE_RETURNED && o.value == RIP_CAUSE_FAULT, "the stopped guest keeps its cause");
	tap_equal(exit_in_look, RIP_E_STATE, "an on_stop cannot exit its guest");
	tap_ok(exit_from_inner == RIP_E_STATE && exit_outermost == RIP_E_STATE, "nor can a guest that it runs, nor one outside");
	expect_clean("on_stop", 1);
	rip_destroy(outermost);
}

/* --- Cleanups that end an outer guest ---------------------------------------------------------- */

static rip_guest *inner, *outer;
static int went_on;

static void release_ending(int *n)
{
	release(n);
	if (always)
		rip_exit_guest(outer, &payload, 61);
}

static intptr_t waits_to_end(void *unused)
{
	int a HOLD = acquire(1);
	__attribute__((cleanup(release_ending), unused)) int b = acquire(2);

	(void)unused;
	rip_yield(NULL, 0, NULL, NULL);
	return a;
}

enum { BY_DESTROY, BY_RESET, BY_UNWIND, WAYS };

static intptr_t lets_go(void *way)
{
	int a HOLD = acquire(3);
	rip_outcome o;

	rip_create(NULL, &inner);
	rip_run(inner, waits_to_end, NULL, &o);
	if ((intptr_t)way == BY_DESTROY)
		rip_destroy(inner);
	else if ((intptr_t)way == BY_RESET)
		rip_reset(inner);
	else
		rip_unwind(inner, &o);
	went_on++;
	return a;
}

static void cleanups_end_outer(void)
{
	static const char *const names[] = { "rip_destroy", "rip_reset", "rip_unwind" };

	for (intptr_t way = 0; way < WAYS; way++) {
		rip_outcome o = { .cause = 99 };
		went_on = 0;
		resources_reset();
		rip_create(NULL, &outer);
		rip_run(outer, lets_go, (void *)way, &o);
		tap_ok(o.cause == RIP_CAUSE_EXITED && o.value == 61 && o.type == &payload && went_on == 0,
		       "a cleanup that %s runs ends the outer guest", names[way]);
		expect_clean(names[way], 3);
		if (way != BY_DESTROY) {
			tap_equal(rip_get_state(inner), way == BY_RESET ? RIP_STATE_NEW : RIP_STATE_ENDED, "the inner one's state");
			rip_reset(inner);
			rip_run(inner, waits, NULL, &o);
			rip_resume(inner, NULL, 0, &o);
			tap_ok(o.cause == RIP_CAUSE_RETURNED, "it can run again");
			rip_destroy(inner);
		}
		rip_destroy(outer);
	}
}

int main(void)
{
	to_each_level();
	payloads();
	refused();
	in_on_stop();
	cleanups_end_outer();
	tap_done();
}
