/* SPDX-License-Identifier: MIT
 * A stop in a function that got arguments on the stack: the landing pad of its caller finds the stack pointer where it
 * was before they were pushed. Compilers say how many there are (DW_CFA_GNU_args_size) for calls that can throw, and not
 * for those of functions that they know as nothrow, whose return addresses lie in their neighbours' call-site ranges. */
#include "run_guest.h"

static int *volatile bad;
static rip_guest *volatile who;

/* Stops where `how` says. */
NOINLINE static void stop_here(long how)
{
	if (how == 1)
		rip_exit(3);
	if (how == 2)
		sink = *bad;
}

#define DEFINE(name, attributes) \
	NOINLINE attributes static long name(long a, long b, long c, long d, long e, long f, long g, long h, long i) \
	{ \
		stop_here(i); \
		return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g * 7 + h * 8 + i; \
	}
DEFINE(many, )
DEFINE(many_nothrow, __attribute__((nothrow)))

NOINLINE static void touch(volatile int *place)
{
	(*place)++;
}

/* The trap in `touch` before and behind the call are in the range whose pad is entered. */
#define GUEST(name, callee) \
	static intptr_t name(void *how) \
	{ \
		volatile int place = 0; \
		int a HOLD = acquire(0); \
		touch(&place); \
		sink = (int)callee(sink, 2, 3, 4, 5, 6, 7, place, (intptr_t)how); \
		touch(&place); \
		int b HOLD = acquire(1); \
		touch(&place); \
		sink = (int)callee(sink, 2, 3, 4, 5, 6, place, 8, (intptr_t)how - 10); \
		touch(&place); \
		return a + b; \
	}
GUEST(by_many, many)
GUEST(by_many_nothrow, many_nothrow)

static void check(const char *name, rip_function function, long how, rip_cause cause)
{
	rip_report report;

	resources_reset();
	rip_outcome outcome = run_with(NULL, function, (void *)how, &report);
	tap_ok(outcome.cause == cause && resources_held() == 0 && report.cleanups_failed == 0 && report.abandoned == 0,
	       "%s, %ld: %s, %d held", name, how, rip_cause_name(outcome.cause), resources_held());
}

int main(void)
{
	check("arguments on the stack", by_many, 1, RIP_CAUSE_EXITED);
	check("... of an inner scope", by_many, 11, RIP_CAUSE_EXITED);
	check("... a fault", by_many, 2, RIP_CAUSE_FAULT);
	check("... of an inner scope", by_many, 12, RIP_CAUSE_FAULT);
	check("of a nothrow function", by_many_nothrow, 1, RIP_CAUSE_EXITED);
	check("... of an inner scope", by_many_nothrow, 11, RIP_CAUSE_EXITED);
	check("... a fault", by_many_nothrow, 2, RIP_CAUSE_FAULT);
	check("... of an inner scope", by_many_nothrow, 12, RIP_CAUSE_FAULT);
	tap_done();
}
