/* SPDX-License-Identifier: MIT
 * Kills of running guests from another thread: in loops with and without calls, in libc, in a blocking system call, in
 * a callback from qsort, in an inner guest; what is held is released, exactly once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kill_lib.h"

static intptr_t spin_empty(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	come_to(1);
	for (;;)
		;
	return sink;
}

NOINLINE static void take_and_release(int depth)
{
	int a HOLD = acquire(1 + depth);

	if (depth < 6)
		take_and_release(depth + 1);
	spins++;
}

static intptr_t churn(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	come_to(1);
	for (;;)
		take_and_release(0);
	return sink;
}

static intptr_t in_libc(void *unused)
{
	static char from[1 << 16], to[1 << 16];
	int a HOLD = acquire(0);

	(void)unused;
	come_to(1);
	for (;;) {
		memcpy(to, from, sizeof to);
		__asm__ volatile("" ::: "memory");
	}
	return sink;
}

static int compare(const void *a, const void *b)
{
	int held HOLD = acquire(2);

	spins++;
	return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static intptr_t in_qsort(void *unused)
{
	static int numbers[20000];
	int a HOLD = acquire(0);

	(void)unused;
	for (;;) {
		for (int i = 0; i < 20000; i++)
			numbers[i] = (i * 7919) % 20011;
		come_to(1);
		qsort(numbers, 20000, sizeof numbers[0], compare);
	}
	return sink;
}

static int pipe_ends[2];

static intptr_t in_read(void *unused)
{
	char byte;
	int a HOLD = acquire(0);

	(void)unused;
	come_to(1);
	while (read(pipe_ends[0], &byte, 1) < 0 && errno == EINTR)
		;
	return sink;
}

static rip_outcome inner_outcome;

static intptr_t in_inner(void *unused)
{
	rip_guest *inner;
	int a HOLD = acquire(0);

	(void)unused;
	rip_create(NULL, &inner);
	rip_run(inner, churn, NULL, &inner_outcome);
	rip_destroy(inner);
	for (;;)
		spins++;
	return sink;
}

static void try(const char *name, rip_function function)
{
	for (int i = 0; i < 20; i++) {
		rip_options options = { .grace = RIP_NEVER };
		rip_report report;

		resources_reset();
		rip_outcome outcome = run_killed(&options, RIP_SOFT, function, NULL, &report);
		int held = resources_held();
		if (!tap_ok(outcome.cause == RIP_CAUSE_KILLED && report.rung == RIP_SOFT && !report.abandoned &&
			    report.cleanups_failed == 0 && held == 0 && resources.twice == 0,
			    "%s: killed, nothing held", name))
			printf("# signal %d code %d pc %lx cause %s, rung %d, abandoned %d, held %d, twice %d\n", report.signal, report.signal_code, (long)report.pc, rip_cause_name(outcome.cause),
			       report.rung, report.abandoned, held, resources.twice);
	}
}

int main(void)
{
	if (pipe(pipe_ends) != 0)
		return 1;
	try("a loop", come_and_spin);
	try("an empty loop", spin_empty);
	try("calls that take and release", churn);
	try("memcpy", in_libc);
	try("a callback from qsort", in_qsort);
	try("a read that blocks", in_read);
	try("an inner guest", in_inner);
	tap_equal(inner_outcome.cause, RIP_CAUSE_OUTER, "which ends with the outer one");
	tap_done();
}
