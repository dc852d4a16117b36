/* SPDX-License-Identifier: MIT
 * Cleanups that are stopped themselves: the stop is counted, the other cleanups of the frame and of its
 * callers still run, each once, and the outcome stays that of the first stop. */
#include <signal.h>
#include <stdint.h>

#include "run_guest.h"

static void (*volatile how)(void);
static int started[RESOURCES];

static void by_fault(void) { *null_pointer = 1; }
static void by_exit(void) { rip_exit(9); }
static void by_abort(void) { rip_abort(); }
static void by_libc_abort(void) { abort(); }
static void by_trap(void) { __builtin_trap(); }
static void by_call(void) { ((void (*volatile)(void))0)(); }

NOINLINE static void release_and_stop(int *number)
{
	int a HOLD = acquire(20 + *number); /* the cleanup holds something, too */
	started[*number]++;
	release(number);
	how();
	sink = always;
}
#define HOLD_BAD __attribute__((cleanup(release_and_stop), unused))

/* Two good and two bad ones in one frame; the bad ones run first and in between. */
NOINLINE static void frame(int first)
{
	int a HOLD = acquire(first);
	int b HOLD_BAD = acquire(first + 1);
	int c HOLD = acquire(first + 2);
	int d HOLD_BAD = acquire(first + 3);

	if (first < 8)
		frame(first + 4);
	else
		*null_pointer = 1;
	sink = a + b + c + d;
}

static intptr_t outermost(void *unused)
{
	int a HOLD = acquire(16);
	(void)unused;
	frame(0);
	sink = always;
	return 0;
}

static void stopped_cleanups(const char *name, void (*way)(void))
{
	rip_report report;
	int once = 1;

	resources_reset();
	memset(started, 0, sizeof started);
	how = way;
	rip_outcome outcome = run_guest(outermost, NULL, &report);
	tap_equal(outcome.cause, RIP_CAUSE_FAULT, "the cause is the first stop");
	expect_clean(name, 13 + 6);
	for (int i = 1; i < 12; i += 2)
		once &= started[i] == 1;
	tap_ok(once, "%s: each bad cleanup was started once", name);
	if (!tap_ok(report.cleanups_failed == 6 && !report.abandoned, "%s: six failed, none abandoned", name))
		printf("# run %d failed %d\n", (int)report.cleanups_run, (int)report.cleanups_failed);
	tap_equal(frames_with(&report, RIP_FRAME_FAILED), 3, "three frames are marked as failed");
}

/* --- rip_exit and rip_abort at the normal end of a scope --- */

NOINLINE static void scope_that_exits(void)
{
	int a HOLD = acquire(1);
	int b HOLD_BAD = acquire(2);
	sink = a + b;
}

static intptr_t normal_end(void *unused)
{
	int a HOLD = acquire(0);
	(void)unused;
	(*(void (*volatile)(void))scope_that_exits)();
	return 3;
}

static void stop_at_scope_end(const char *name, void (*way)(void), rip_cause cause, intptr_t value)
{
	rip_report report;

	resources_reset();
	how = way;
	rip_outcome outcome = run_guest(normal_end, NULL, &report);
	tap_ok(outcome.cause == cause && outcome.value == value, "%s at the end of a scope: %s %ld", name,
	       rip_cause_name(outcome.cause), (long)outcome.value);
	/* Resource 1 may be lost: GCC holds its cleanup's caller for done with b's. It is not run twice. */
	tap_ok(resources.twice == 0 && resources.held[0] == 0 && resources.held[2] == 0 && resources.held[22] == 0,
	       "%s at the end of a scope: outer frames are cleaned up", name);
	if (resources.held[1])
		printf("# %s: an outer cleanup of the same scope was left\n", name);
}

/* --- A cleanup that runs a guest, which faults --- */

static intptr_t inner_guest(void *unused)
{
	int a HOLD = acquire(41);
	(void)unused;
	*null_pointer = 1;
	return sink;
}

NOINLINE static void release_by_guest(int *number)
{
	rip_report report;

	release(number);
	if (run_guest(inner_guest, NULL, &report).cause != RIP_CAUSE_FAULT)
		resources.twice++;
}

static intptr_t guest_in_cleanup(void *unused)
{
	__attribute__((cleanup(release_by_guest), unused)) int a = acquire(1);
	int b HOLD = acquire(2);
	(void)unused;
	*null_pointer = 1;
	return sink;
}

static void guests_in_cleanups(void)
{
	rip_report report;

	resources_reset();
	tap_equal(run_guest(guest_in_cleanup, NULL, &report).cause, RIP_CAUSE_FAULT, "a guest in a cleanup");
	expect_clean("a guest in a cleanup", 3);
	expect_unwound("a guest in a cleanup", &report, (int)report.cleanups_run);
}

int main(void)
{
	stopped_cleanups("fault in a cleanup", by_fault);
	stopped_cleanups("rip_exit in a cleanup", by_exit);
	stopped_cleanups("rip_abort in a cleanup", by_abort);
	stopped_cleanups("abort in a cleanup", by_libc_abort);
	stopped_cleanups("illegal instruction in a cleanup", by_trap);
	stopped_cleanups("call of NULL in a cleanup", by_call);
	stop_at_scope_end("fault", by_fault, RIP_CAUSE_FAULT, 0);
	stop_at_scope_end("rip_exit", by_exit, RIP_CAUSE_EXITED, 9);
	stop_at_scope_end("rip_abort", by_abort, RIP_CAUSE_ABORTED, 0);
	guests_in_cleanups();
	tap_done();
}
