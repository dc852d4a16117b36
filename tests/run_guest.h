/* SPDX-License-Identifier: MIT
 * One guest's whole life in a call, for tests. */
#ifndef TEST_RUN_GUEST_H
#define TEST_RUN_GUEST_H

#include "resources.h"
#include "ripcord/ripcord.h"

/* Code the compiler must not see through: a store that may trap, and values it cannot know. */
static volatile int sink;
static int *volatile null_pointer;
static volatile int always = 1;

#define NOINLINE __attribute__((noinline, noclone, unused))

/* Creates, runs and destroys a guest; the report is copied to *report_ret. */
NOINLINE static rip_outcome run_with(const rip_options *options, rip_function function, void *argument,
				     rip_report *report_ret)
{
	rip_guest *guest = NULL, *outer = rip_self();
	rip_outcome outcome = { RIP_CAUSE_NONE, 0, NULL };
	rip_status status = rip_create(options, &guest);

	if (status == RIP_OK)
		status = rip_run(guest, function, argument, &outcome);
	if (status != RIP_OK)
		tap_ok(0, "a guest can be made and run: %s", rip_status_name(status));
	else
		*report_ret = *rip_get_report(guest);
	if (rip_destroy(guest) != RIP_OK || rip_self() != outer)
		tap_ok(0, "the guest is gone and not current");
	return outcome;
}

NOINLINE static rip_outcome run_guest(rip_function function, void *argument, rip_report *report_ret)
{
	return run_with(NULL, function, argument, report_ret);
}

NOINLINE static int frames_with(const rip_report *report, rip_frame_fate fate)
{
	int count = 0;

	for (uint32_t i = 0; i < report->frame_count; i++)
		count += report->frames[i].fate == fate;
	return count;
}

/* The stop reached the host, nothing failed on the way, and `cleanups` landing pads ran. */
NOINLINE static void expect_unwound(const char *name, const rip_report *report, int cleanups)
{
	if (!tap_ok(report->walk_end == RIP_E_END && !report->abandoned && report->cleanups_failed == 0 &&
		    report->cleanups_run == (uint64_t)cleanups, "%s: unwound to the host, %d cleanups", name,
		    cleanups))
		printf("# walk %s, abandoned %d %s, run %d, failed %d, frames %d\n",
		       rip_status_name(report->walk_end), report->abandoned,
		       rip_status_name(report->abandon_reason), (int)report->cleanups_run,
		       (int)report->cleanups_failed, (int)report->frames_total);
}

#endif
