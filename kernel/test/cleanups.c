/* SPDX-License-Identifier: MIT
 * cleanups: that fault, overflow, hang or wait for ever. */
#include "scene.h"

static struct scene scene;

static bool stop_by(const char *kind)
{
	if (!scene_begin(&scene, kind, 0))
		return false;
	scene_go(&scene);
	scene_end(&scene);
	return true;
}

/* One fails, all others run. */
static void check(const char *kind)
{
	const rip_core_report *report = &scene.end.report;

	if (!stop_by(kind))
		return;
	tap_ok(report->cause == RIP_CORE_FAULT && report->cleanups_failed == 1, "%s: one cleanup has failed", kind);
	tap_ok(scene_counts_agree(&scene, 0) && scene.crash.given[CRASH_OWN] == 1 && scene.crash.given[CRASH_EXTRA] == 1 &&
	       scene.crash.given[CRASH_LAST] == 1 && scene.crash.given[0] == 1,
	       "%s: all others of its frame and further out have run, once (%lu)", kind, report->cleanups_run);
	tap_ok(!report->abandoned && scene.end.mutexes == 0 && scene.end.holds == 0, "%s: nothing is abandoned", kind);
	scene_check_others(&scene, kind);
}

/* A kill of a task that is being unwound has nothing to add. */
static void kill_meanwhile(void)
{
	if (!scene_begin(&scene, "hanging", 0))
		return;
	scene_go(&scene);
	while (task_find(scene.victim) && !rip_core_unwinding(&task_find(scene.victim)->core))
		task_sleep(1);
	tap_equal(task_kill(scene.victim), OK, "a task that is being unwound can be killed");
	scene_end(&scene);
	tap_ok(scene.end.report.cause == RIP_CORE_FAULT && scene.end.report.cleanups_failed == 1 &&
	       scene_counts_agree(&scene, 0), "and ends by what stopped it first, with its cleanups");
}

void test_cleanups(void)
{
	bystander_start();
	check("cleanup");
	check("deep-cleanup");
	check("hanging");
	check("stuck");
	kill_meanwhile();
	tap_ok(bystander_longest() <= 8, "meanwhile nobody else waited for more than %lu ticks (8 allowed)",
	       bystander_longest());
	bystander_end();
}
