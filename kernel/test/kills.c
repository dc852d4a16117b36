/* SPDX-License-Identifier: MIT
 * kills: of a task in each state, from other tasks and the shell, and at any time. */
#include "scene.h"
#include "shell.h"

static struct scene scene;
enum { RANDOM_KILLS = 300 };

static void kill_victim(void)
{
	task_kill(scene.victim);
}

static void kill_by_shell(void)
{
	char line[32];

	format_text(line, sizeof line, "kill %lu", scene.victim);
	shell_command(line);
}

/* At a tick, from the timer's interrupt: the task itself is what runs. */
static void kill_by_timer(void)
{
	task_kill_at(scene.victim, task_ticks() + 3);
}

static void check(const char *kind, const char *name, bool (*wait)(uint64_t id), void (*kill)(void))
{
	if (!scene_begin(&scene, kind, 0))
		return;
	scene_go(&scene);
	bool there = wait(scene.victim);
	kill();
	scene_end(&scene);
	tap_ok(there && !scene.end.firm, "%s: it was there, and could be stopped at a poll", name);
	scene_check(&scene, name);
}

static bool running(uint64_t id)
{
	return wait_for_running(id, 2);
}

static bool sleeping(uint64_t id)
{
	for (const struct task *task = task_find(id); task; task_sleep(1))
		if (task->wake_at > task_ticks() + 1000)
			return true;
	return false;
}

/* It has run, and another task is the one that runs. */
static bool is_ready(uint64_t id)
{
	return wait_for_running(id, 2) && task_find(id)->state == TASK_READY;
}

static void states(void)
{
	check("spin", "spinning", running, kill_victim);
	check("work", "ready", is_ready, kill_victim);
	check("work", "running", running, kill_by_timer);
	check("sleep", "sleeping", sleeping, kill_victim);
	check("lock", "blocked on a lock", wait_for_waiting, kill_victim);
	check("channel", "blocked on a channel", wait_for_waiting, kill_victim);
	check("spin", "spinning, from the shell", running, kill_by_shell);
	check("lock", "blocked on a lock, from the shell", wait_for_waiting, kill_by_shell);
}

static void firm(void)
{
	if (!scene_begin(&scene, "deaf", 0))
		return;
	scene_go(&scene);
	wait_for_running(scene.victim, 2);
	kill_victim();
	scene_end(&scene);
	tap_ok(scene.end.report.cause == RIP_CORE_KILLED && scene.end.firm && scene_counts_agree(&scene, 0),
	       "without a poll: stopped where it stands when the grace is over (%lu ticks)", (uint64_t)KILL_GRACE);
	scene_check_others(&scene, "without a poll");
}

/* --- Odd times --- */

static volatile uint32_t begun, ended;

static void end_it(int *unused)
{
	(void)unused;
	ended++;
}

static intptr_t begin(void *unused)
{
	begun++;
	int guard CLEANUP(end_it) = 0;
	(void)unused;
	for (;;)
		guard++;
	return guard;
}

static intptr_t kill_itself(void *unused)
{
	begun++;
	int guard CLEANUP(end_it) = 0;
	(void)unused;
	task_kill(task_current()->id);
	for (;;)
		guard++;
	return guard;
}

static rip_core_cause run(rip_function function, bool kill)
{
	struct task_end end = { .firm = true };
	uint64_t id = 0;

	begun = ended = 0;
	task_spawn("odd", function, NULL, &id);
	if (kill)
		task_kill(id);
	task_join(id, &end);
	return end.firm ? RIP_CORE_RETURNED : end.report.cause;
}

static void odd_times(void)
{
	struct task_end end;

	tap_ok(run(begin, true) == RIP_CORE_KILLED && begun == ended, "killed before it has begun");
	tap_ok(run(kill_itself, false) == RIP_CORE_KILLED && begun == 1 && ended == 1, "kills itself");
	tap_equal((uint64_t)task_kill(~0ull), (uint64_t)E_NOT_FOUND, "no such task");
	tap_equal((uint64_t)task_join(~0ull, &end), (uint64_t)E_NOT_FOUND, "nor can it be joined");
}

/* --- At any time: a task that works with all that there is --- */

static struct mutex hot;
static volatile uint64_t sections, half;  /* half: inside the section */

__attribute__((noinline)) static volatile uint64_t *enter_section(void)
{
	half++;
	return &half;
}

static void leave_section(volatile uint64_t **at)
{
	(**at)--;
}

static void work_once(struct crash *crash, struct message *message)
{
	MUTEX_GUARD(guard);
	HOLD_GUARD(hold);

	if (mutex_lock_poisoned(&guard, &hot) != OK || object_hold(&hold, &crash->object, 0) != OK)
		return;
	volatile uint64_t *inside CLEANUP(leave_section) = enter_section();
	(void)inside;
	mutex_mend(&guard);
	sections++;
	void *block = task_take(200 + sections % 3000);
	task_give(block);
	message->word[0]++;
	channel_send(crash->silent, message);
	channel_receive(crash->silent, message);
}

static intptr_t work(void *argument)
{
	struct message message = { { 0 } };
	struct crash *crash = argument;
	HOLD_GUARD(receive);
	HOLD_GUARD(send);

	object_hold(&receive, &crash->silent->object, CHANNEL_RECEIVE);
	object_hold(&send, &crash->silent->object, CHANNEL_SEND);
	for (;;)
		work_once(crash, &message);
	return 0;
}

static void burn(uint64_t count)
{
	for (volatile uint64_t i = 0; i < count;)
		i++;
}

struct tally {
	unsigned killed, exact, left, poisoned;
	uint64_t most_ticks;
};

static void kill_one(struct crash *crash, uint64_t *seed, struct tally *tally)
{
	struct task_end end = { .firm = true };
	uint64_t id = 0;

	task_spawn("worker", work, crash, &id);
	task_sleep(1 + test_random(seed) % 3);
	burn(test_random(seed) % 20000);
	uint64_t begin = task_ticks();
	task_kill(id);
	task_join(id, &end);
	uint64_t ticks = task_ticks() - begin;
	tally->killed += end.report.cause == RIP_CORE_KILLED && !end.report.abandoned && end.report.cleanups_failed == 0;
	tally->exact += !end.firm;
	tally->left += end.mutexes || end.holds || half != 0 || hot.owner || crash->object.references != 1;
	tally->poisoned += hot.poisoned;
	tally->most_ticks = ticks > tally->most_ticks ? ticks : tally->most_ticks;
}

static void any_time(void)
{
	static struct crash crash;
	struct tally tally = { 0 };
	uint64_t seed = 7, blocks = kernel_heap.blocks;
	uint32_t pages = pages_free();

	mutex_init(&hot, "hot");
	crash_init(&crash, crash_kind_find("work"));
	for (unsigned i = 0; i < RANDOM_KILLS; i++)
		kill_one(&crash, &seed, &tally);
	crash_deinit(&crash);
	mutex_deinit(&hot);
	tap_ok(tally.killed == RANDOM_KILLS && tally.exact == RANDOM_KILLS,
	       "%u kills at any time of a task that works: all of them at a poll", tally.killed);
	tap_ok(tally.left == 0 && pages_free() == pages && kernel_heap.blocks == blocks && !kernel_check(),
	       "and none has left anything");
	tap_ok(tally.poisoned > 10 && tally.poisoned < RANDOM_KILLS && sections > RANDOM_KILLS,
	       "%u of them while it held the lock; it has been through %lu sections", tally.poisoned, sections);
	tap_ok(tally.most_ticks <= 100, "the slowest took %lu ticks (100 allowed)", tally.most_ticks);
}

void test_kills(void)
{
	bystander_start();
	states();
	firm();
	odd_times();
	any_time();
	tap_ok(bystander_longest() <= 8, "meanwhile nobody else waited for more than %lu ticks (8 allowed)",
	       bystander_longest());
	bystander_end();
}
