/* SPDX-License-Identifier: MIT
 * Deadlines by the wall clock and by processor time: over turns and threads, moved and removed, of guests that have yielded,
 * of inner and outer ones, and of 100,000 at once. Nothing is said of how soon they come: only that they do. */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "kill_lib.h"

enum { MILLISECOND = 1000 * 1000, MANY = 100000 };
/* Not how soon they are soft either: a guest that the machine does not let run would be killed firmly. */
#define PATIENT .grace = RIP_NEVER
#define HOUR (3600ull * 1000 * MILLISECOND)

static rip_report report;

static intptr_t yield_and_spin(void *yields)
{
	int a HOLD = acquire(0);

	for (intptr_t i = (intptr_t)yields; i > 0; i--) {
		for (int k = 0; k < 1000; k++)
			spins++;
		rip_yield(NULL, i, NULL, NULL);
	}
	for (;;)
		spins++;
	return a;
}

static intptr_t return_7(void *unused)
{
	(void)unused;
	return 7;
}

static void expect(const char *name, rip_cause got, rip_cause cause, int acquired)
{
	tap_ok(got == cause, "%s: %s", name, rip_cause_name(got));
	expect_clean(name, acquired);
	resources_reset();
}

static void plain(void)
{
	rip_options wall = { .deadline = 5 * MILLISECOND, PATIENT }, cpu = { .cpu_time = 5 * MILLISECOND, PATIENT };
	rip_options both = { .deadline = HOUR, .cpu_time = 5 * MILLISECOND, PATIENT };
	rip_options past = { .deadline = 1, PATIENT }, far = { .deadline = UINT64_MAX, .cpu_time = UINT64_MAX };

	resources_reset();
	expect("a deadline", run_with(&wall, spin, NULL, &report).cause, RIP_CAUSE_DEADLINE, 1);
	expect("processor time", run_with(&cpu, spin, NULL, &report).cause, RIP_CAUSE_CPU, 1);
	expect("the earlier of both", run_with(&both, spin, NULL, &report).cause, RIP_CAUSE_CPU, 1);
	rip_cause cause = run_with(&past, spin, NULL, &report).cause;
	tap_equal(cause, RIP_CAUSE_DEADLINE, "a nanosecond");
	resources_reset();
	expect("585 years", run_with(&far, return_7, NULL, &report).cause, RIP_CAUSE_RETURNED, 0);
}

struct turn {
	rip_guest *guest;
	rip_outcome outcome;
};

static void *resume(void *context)
{
	struct turn *turn = context;

	rip_resume(turn->guest, NULL, 0, &turn->outcome);
	return NULL;
}

/* Each turn on a thread of its own, whose clock says little. */
static void turns(void)
{
	rip_options cpu = { .cpu_time = 20 * MILLISECOND, PATIENT };
	struct turn turn;
	pthread_t thread;

	rip_create(&cpu, &turn.guest);
	rip_run(turn.guest, yield_and_spin, (void *)20, &turn.outcome);
	while (turn.outcome.cause == RIP_CAUSE_YIELDED) {
		pthread_create(&thread, NULL, resume, &turn);
		pthread_join(thread, NULL);
	}
	expect("processor time over turns and threads", turn.outcome.cause, RIP_CAUSE_CPU, 1);
	rip_destroy(turn.guest);
}

static rip_guest *the_guest;

static intptr_t sooner(void *unused)
{
	rip_set_deadline(the_guest, MILLISECOND);
	return spin(unused);
}

static intptr_t later_and_never(void *unused)
{
	(void)unused;
	rip_set_deadline(the_guest, HOUR);
	rip_set_deadline(the_guest, 2 * HOUR);
	rip_set_deadline(the_guest, 0);
	return 7;
}

static void moved(void)
{
	rip_options options = { .deadline = HOUR, PATIENT };
	rip_outcome outcome;

	rip_create(&options, &the_guest);
	rip_run(the_guest, sooner, NULL, &outcome);
	expect("moved to sooner, on the guest", outcome.cause, RIP_CAUSE_DEADLINE, 1);
	tap_equal(rip_set_deadline(the_guest, 1), RIP_E_GONE, "a guest that has ended has none");
	rip_reset(the_guest);
	rip_run(the_guest, later_and_never, NULL, &outcome);
	expect("moved to later, and taken away", outcome.cause, RIP_CAUSE_RETURNED, 0);
	rip_reset(the_guest);
	rip_run(the_guest, yield_and_spin, (void *)1, &outcome);
	rip_set_deadline(the_guest, 1);
	do
		rip_resume(the_guest, NULL, 0, &outcome);
	while (outcome.cause == RIP_CAUSE_YIELDED);
	expect("a guest that has yielded", outcome.cause, RIP_CAUSE_DEADLINE, 1);
	rip_destroy(the_guest);
}

static rip_outcome inner_outcome;

static intptr_t run_inner(void *options)
{
	int a HOLD = acquire(1);

	inner_outcome = run_with(options, spin, NULL, &report);
	for (int i = 0; i < 1000; i++)
		spins++;
	if (inner_outcome.cause == RIP_CAUSE_OUTER)
		for (;;)
			spins++;
	return 3 + 0 * a;
}

static void nested(void)
{
	rip_options wall = { .deadline = 5 * MILLISECOND, PATIENT }, none = { .stack_size = 64 * 1024, PATIENT };
	rip_report outer;
	rip_outcome outcome;

	outcome = run_with(&none, run_inner, &wall, &outer);
	tap_equal(inner_outcome.cause, RIP_CAUSE_DEADLINE, "an inner guest's deadline");
	expect("leaves the outer one alone", outcome.cause, RIP_CAUSE_RETURNED, 2);
	outcome = run_with(&wall, run_inner, &none, &outer);
	tap_equal(inner_outcome.cause, RIP_CAUSE_OUTER, "an outer guest's deadline ends the inner one");
	expect("and itself", outcome.cause, RIP_CAUSE_DEADLINE, 2);
}

/* --- 100,000 --- */

static int live;

static void count_down(int *one)
{
	live -= *one;
}

static intptr_t wait_to_die(void *unused)
{
	int one __attribute__((cleanup(count_down), unused)) = 1;

	(void)unused;
	live++;
	rip_yield(NULL, 0, NULL, NULL);
	return one;
}

static long resident_pages(void)
{
	long size = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (file && fscanf(file, "%ld %ld", &size, &resident) != 2)
		resident = 0;
	if (file)
		fclose(file);
	return resident;
}

static void many(void)
{
	rip_pool_options pool_options = { .stack_size = 16 * 1024, .capacity = MANY };
	rip_options options = { .deadline = 200 * MILLISECOND, PATIENT };
	rip_guest **guests = calloc(MANY, sizeof(rip_guest *));
	rip_outcome outcome;
	int made = 0, ended = 0;

	if (!guests || rip_pool_create(&pool_options, &options.pool) != RIP_OK)
		return;
	for (; made < MANY && rip_create(&options, &guests[made]) == RIP_OK; made++)
		if (rip_run(guests[made], wait_to_die, NULL, &outcome) != RIP_OK || outcome.cause != RIP_CAUSE_YIELDED)
			break;
	tap_ok(made == MANY || made > 10000, "%d guests with deadlines have yielded", made);
	long most = resident_pages();
	for (int i = 0; i < made; i++) {
		do
			rip_resume(guests[i], NULL, 0, &outcome);
		while (outcome.cause == RIP_CAUSE_YIELDED);
		ended += outcome.cause == RIP_CAUSE_DEADLINE || outcome.cause == RIP_CAUSE_RETURNED;
		rip_destroy(guests[i]);
	}
	tap_ok(ended == made && live == 0, "all have ended: %d, %d live", ended, live);
	tap_equal(rip_pool_destroy(options.pool), RIP_OK, "the pool is empty");
	long left = resident_pages();
	tap_ok(left < most / 4, "their memory is back: %ld pages, then %ld", most, left);
	free(guests);
}

int main(void)
{
	plain();
	turns();
	moved();
	nested();
	many();
	tap_done();
}
