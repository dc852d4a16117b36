/* SPDX-License-Identifier: MIT
 * main: from boot.S to the first task. The command line says what that does: `test` runs the tests, `panic
 * NAME` ends by a fault of the kernel's own; else a person has the shell. */
#include "campaign/campaign.h"
#include "console.h"
#include "shell.h"
#include "stop.h"
#include "test/tap.h"

void kernel_main(uint32_t start_info);

/* --- Something to look at: two tasks that talk to each other, and one that counts. --- */

static struct channel *demo_channel;
static struct mutex demo_mutex;

static intptr_t talk(void *unused)
{
	struct message message = { { 0 } };
	HOLD_GUARD(hold);

	(void)unused;
	if (object_hold(&hold, &demo_channel->object, CHANNEL_SEND) != OK)
		return -1;
	while (channel_send(demo_channel, &message) == OK) {
		message.word[0]++;
		task_sleep(100);
	}
	return 0;
}

static intptr_t listen(void *unused)
{
	struct message message;
	HOLD_GUARD(hold);

	(void)unused;
	if (object_hold(&hold, &demo_channel->object, CHANNEL_RECEIVE) != OK)
		return -1;
	while (channel_receive(demo_channel, &message) == OK)
		;
	return 0;
}

static intptr_t count(void *unused)
{
	volatile uint64_t counter = 0;
	MUTEX_GUARD(guard);

	(void)unused;
	for (; mutex_lock(&guard, &demo_mutex) == OK; mutex_unlock(&guard)) {
		counter++;
		task_sleep(10);
	}
	return 0;
}

static void start_demo(void)
{
	demo_channel = channel_create();
	mutex_init(&demo_mutex, "counter");
	if (!demo_channel)
		panic("no memory");
	task_spawn("talk", talk, NULL, NULL);
	task_spawn("listen", listen, NULL, NULL);
	task_spawn("count", count, NULL, NULL);
	task_spawn("shell", shell_run, NULL, NULL);
}

/* --- The first task --- */

static intptr_t init(void *unused)
{
	static char line[128];
	char *rest = line;

	(void)unused;
	format_text(line, sizeof line, "%s", memory_command_line());
	const char *word = text_word(&rest);
	if (text_equal(word, "test"))
		tests_run();
	if (text_equal(word, "campaign"))
		campaign(rest);
	if (text_equal(word, "panic"))
		tests_panic(text_word(&rest));
	start_demo();
	return 0;
}

void kernel_main(uint32_t start_info)
{
	machine_init();
	serial_init();
	memory_init(start_info);
	paging_init();
	stop_init();
	tasks_init();
	print("Ripcord's kernel: %u pages free\n", pages_free());
	if (task_spawn("init", init, NULL, NULL) != OK)
		panic("no memory for the first task");
	machine_enable_line(LINE_TIMER);
	/* This is the idle task from here on. */
	for (;;)
		__asm__ volatile("sti\n\thlt" : : : "memory");
}
