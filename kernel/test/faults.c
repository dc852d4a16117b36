/* SPDX-License-Identifier: MIT
 * faults: of every kind, in tasks. */
#include "scene.h"

static struct scene scene;

static void stop_by(const char *kind, uint64_t parameter)
{
	if (!scene_begin(&scene, kind, parameter))
		return;
	scene_go(&scene);
	scene_end(&scene);
}

static void kinds(void)
{
	static const char *const names[] = {
		"page", "general", "opcode", "divide", "breakpoint", "alignment", "check", "code", "data", "null",
		"bad-lock", "bad-guard", "bad-channel", "bad-block",
	};

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		stop_by(names[i], 0);
		scene_check(&scene, names[i]);
	}
}

/* Interrupted code's stack pointer may be anything: with and without an error code. */
static void alignments(void)
{
	for (unsigned offset = 0; offset < 16; offset++) {
		bool good = true;
		for (unsigned with_code = 0; with_code < 2; with_code++) {
			stop_by(with_code ? "off-general" : "off-opcode", offset);
			good = good && scene.end.report.cause == RIP_CORE_FAULT &&
			       scene.end.vector == scene.crash.kind->vector && scene_counts_agree(&scene, 0) &&
			       scene.crash.given[CRASH_OWN] == 1 && scene_is_back(&scene) &&
			       scene.end.report.reg[RIP_CORE_RSP] % 16 == (16 - offset) % 16;
		}
		tap_ok(good, "faults with and without an error code, on a stack %u bytes off", offset);
	}
}

static void overflows(void)
{
	stop_by("overflow", 0);
	scene_check(&scene, "overflow");
	tap_ok(scene.crash.deep_taken > 50 && scene.crash.deep_given == scene.crash.deep_taken,
	       "overflow: %u frames, each has given back once", scene.crash.deep_taken);
	stop_by("double", 0);
	machine_use_interrupt_stack(EXCEPTION_PAGE, true);
	scene_check(&scene, "double");
	tap_ok(scene.crash.deep_taken > 50 && scene.crash.deep_given == scene.crash.deep_taken,
	       "double: %u frames, each has given back once", scene.crash.deep_taken);
}

/* What cannot be unwound is taken back all the same. */
static void damage(void)
{
	stop_by("lost", 0);
	tap_ok(scene.end.report.abandoned && scene.end.report.cleanups_run == 0, "lost: nothing could be unwound: %s",
	       rip_status_name(scene.end.report.reason));
	tap_ok(scene.end.mutexes == 1 && scene.end.holds == 3 && scene.end.blocks == 1,
	       "lost: %u mutex, %u objects, %lu block were taken back", scene.end.mutexes, scene.end.holds,
	       scene.end.blocks);
	scene_check_others(&scene, "lost");
	stop_by("smash", 0);
	tap_ok(scene.end.report.abandoned && scene.crash.given[CRASH_OWN] == 1, "smash: the frame that smashed is cleaned up");
	scene_check_others(&scene, "smash");
}

static void traces(void)
{
	uint64_t offset;

	stop_by("page", 0);
	const char *inner = symbol_at(scene.end.trace[0], &offset);
	const char *outer = symbol_at(scene.end.trace[scene.end.trace_count - 1] - 1, &offset);
	tap_ok(inner && text_equal(inner, "page") && outer && text_equal(outer, "crash_run"),
	       "the trace has %u frames, from %s to %s", scene.end.trace_count, inner ? inner : "?", outer ? outer : "?");
	tap_equal(scene.end.address, 0, "a page fault's address is told");
}

/* Tasks that end by a fault look whose pages are nobody's, while others end. */
enum { ENDING = 32, ROUNDS = 12 };

static intptr_t end_by_fault(void *argument)
{
	for (volatile uint64_t i = (uintptr_t)argument; i > 0;)
		i--;
	return *(volatile int *)task_take(0);
}

static void end_together(void)
{
	uint32_t pages = pages_free();
	uint64_t ids[ENDING], seed = 5;
	unsigned faults = 0;
	struct task_end end;

	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < ENDING; i++)
			task_spawn("ending", end_by_fault, (void *)(test_random(&seed) % 3000), &ids[i]);
		for (unsigned i = 0; i < ENDING; i++)
			faults += task_join(ids[i], &end) == OK && end.report.cause == RIP_CORE_FAULT;
	}
	tap_ok(faults == ENDING * ROUNDS && pages_free() == pages && !kernel_check(),
	       "%u tasks that end by a fault side by side give back what is theirs", faults);
}

void test_faults(void)
{
	bystander_start();
	kinds();
	alignments();
	overflows();
	damage();
	traces();
	tap_ok(bystander_longest() <= 8 && bystander_rounds() > 1000,
	       "meanwhile nobody else waited for more than %lu ticks (8 allowed)", bystander_longest());
	bystander_end();
	end_together();
}
