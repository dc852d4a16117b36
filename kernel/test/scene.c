/* SPDX-License-Identifier: MIT
 * scene: what a stopped task leaves, seen from all sides. */
#include "scene.h"

enum { PATIENCE = 10000 };

static intptr_t wait_at_lock(void *argument)
{
	struct scene *scene = argument;
	MUTEX_GUARD(guard);

	return scene->waiter_got = mutex_lock(&guard, &scene->crash.mutex);
}

static intptr_t wait_for_message(void *argument)
{
	struct scene *scene = argument;
	struct message message;
	HOLD_GUARD(hold);

	if (object_hold(&hold, &scene->crash.channel->object, CHANNEL_RECEIVE) != OK)
		return -1;
	return scene->receiver_got = channel_receive(scene->crash.channel, &message);
}

bool wait_for_waiting(uint64_t id)
{
	for (uint64_t end = task_ticks() + PATIENCE; task_ticks() < end; task_sleep(1)) {
		const struct task *task = task_find(id);
		if (!task)
			return false;
		if (task->state == TASK_WAITING && task->wake_at == 0)
			return true;
	}
	return false;
}

bool wait_for_running(uint64_t id, uint64_t ticks)
{
	const struct task *task = task_find(id);
	uint64_t begin = task ? task->ticks : 0;

	for (uint64_t end = task_ticks() + PATIENCE; task && task_ticks() < end; task_sleep(1))
		if (task->ticks >= begin + ticks)
			return true;
	return false;
}

static bool wait_for_ready(const struct crash *crash)
{
	for (uint64_t end = task_ticks() + PATIENCE; task_ticks() < end && !crash->ready;)
		task_sleep(1);
	return crash->ready;
}

static bool begin(struct scene *scene, const char *kind, uint64_t parameter, struct keeper *keeper)
{
	const struct task_options victim = { "victim", crash_run, &scene->crash, keeper, NULL };

	memset(scene, 0, sizeof *scene);
	scene->pages = pages_free();
	scene->blocks = kernel_heap.blocks;
	scene->waiter_got = scene->receiver_got = AGAIN;
	bool made = crash_init(&scene->crash, crash_kind_find(kind)) == OK;
	scene->crash.parameter = parameter;
	made = made && mutex_lock(&scene->other, &scene->crash.other) == OK &&
	       task_spawn_with(&victim, &scene->victim) == OK && wait_for_ready(&scene->crash) &&
	       task_spawn("waiter", wait_at_lock, scene, &scene->waiter) == OK && wait_for_waiting(scene->waiter) &&
	       task_spawn("receiver", wait_for_message, scene, &scene->receiver) == OK &&
	       wait_for_waiting(scene->receiver);
	if (!made)
		tap_ok(false, "%s: the scene is made", kind);
	return made;
}

bool scene_begin(struct scene *scene, const char *kind, uint64_t parameter)
{
	return begin(scene, kind, parameter, NULL);
}

bool scene_begin_kept(struct scene *scene, const char *kind, struct keeper *keeper)
{
	return begin(scene, kind, 0, keeper);
}

void scene_go(struct scene *scene)
{
	scene->crash.go = true;
}

void scene_end(struct scene *scene)
{
	struct task_end end;

	task_join(scene->victim, &scene->end);
	task_join(scene->waiter, &end);
	task_join(scene->receiver, &end);
	mutex_unlock(&scene->other);
	crash_deinit(&scene->crash);
}

/* Frames further in have nothing to give, or could not. */
bool scene_counts_agree(const struct scene *scene, unsigned frames_from)
{
	const struct crash *crash = &scene->crash;

	for (unsigned i = 0; i < CRASH_IDS; i++) {
		bool lost = i < frames_from || (i >= CRASH_OWN && frames_from > 0);
		if (crash->given[i] != (lost ? 0 : crash->taken[i]))
			return false;
	}
	return crash->deep_given == crash->deep_taken;
}

bool scene_is_back(const struct scene *scene)
{
	return pages_free() == scene->pages && kernel_heap.blocks == scene->blocks &&
	       scene->crash.object.references == 1 && !scene->crash.mutex.owner && !kernel_check();
}

void scene_check_others(const struct scene *scene, const char *name)
{
	tap_ok(scene_is_back(scene), "%s: all memory, objects and locks are back, and the kernel agrees with itself", name);
	tap_ok(scene->crash.mutex.poisoned && scene->waiter_got == E_POISONED && scene->receiver_got == E_CLOSED,
	       "%s: its lock is poisoned; who waited for it (%s) and for its messages (%s) was told", name,
	       status_name(scene->waiter_got), status_name(scene->receiver_got));
}

static bool is_clean(const rip_core_report *report)
{
	return report->cleanups_failed == 0 && report->frames_lost == 0 && !report->abandoned;
}

void scene_check(const struct scene *scene, const char *name)
{
	const struct task_end *end = &scene->end;
	const struct crash_kind *kind = scene->crash.kind;

	bool faulted = end->report.cause == RIP_CORE_FAULT || end->report.cause == RIP_CORE_OVERFLOW;
	tap_ok(end->report.cause == kind->cause && end->vector == kind->vector, "%s: %s%s%s", name,
	       cause_name(end->report.cause), faulted ? ", " : "", faulted ? exception_name(end->vector) : "");
	tap_ok(scene_counts_agree(scene, 0) && scene->crash.given[0] == 1 && scene->crash.given[CRASH_OWN] == 1 &&
	       is_clean(&end->report), "%s: %lu cleanups, each once, the stopped frame's own too", name,
	       end->report.cleanups_run);
	tap_ok(end->mutexes == 0 && end->holds == 0 && end->blocks == 0, "%s: nothing was left to be taken back", name);
	scene_check_others(scene, name);
	if (!is_clean(&end->report))
		task_print_end(name, 0, end);
}
