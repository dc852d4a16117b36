/* SPDX-License-Identifier: MIT
 * shell: commands, and the tasks that they make. */
#include "shell.h"

#include "console.h"
#include "crash.h"

enum { LINE = 80, TRACE = 32 };

/* --- Looking --- */

static void ps(char *rest)
{
	(void)rest;
	print("%5s %-15s %-9s %8s %6s %6s %s\n", "TASK", "NAME", "STATE", "TICKS", "PAGES", "BLOCKS", "HOLDS");
	for (uint16_t i = 1; i <= TASKS; i++) {
		const struct task *task = task_at(i);
		unsigned holds = 0;
		if (task->state == TASK_FREE)
			continue;
		for (unsigned at = 0; at < HOLDS; at++)
			holds += task->held[at] != NULL;
		print("%5lu %-15s %-9s %8lu %6u %6lu %u\n", task->id, task->name, task_state_name(task), task->ticks,
		      pages_of(task->number), task->heap.blocks, holds);
	}
}

static unsigned count_waiting(const struct mutex *mutex)
{
	unsigned count = 0;

	bool interrupts = interrupts_disable();
	for (const struct task *task = queue_first(&mutex->waiting); task; task = task->next)
		count++;
	interrupts_restore(interrupts);
	return count;
}

static void locks(char *rest)
{
	(void)rest;
	print("%-15s %-15s %-9s %7s %s\n", "LOCK", "OWNER", "", "WAITING", "TAKEN");
	for (const struct mutex *mutex = mutex_first(); mutex; mutex = mutex->next) {
		const struct task *owner = mutex->owner;
		print("%-15s %-15s %-9s %7u %lu\n", mutex->name, owner ? owner->name : "-",
		      mutex->poisoned ? "poisoned" : "", count_waiting(mutex), mutex->taken);
	}
}

static struct task *find(char *rest)
{
	uint64_t id;
	struct task *task = text_number(text_word(&rest), &id) ? task_find(id) : NULL;

	if (!task)
		print("no such task\n");
	return task;
}

static void bt(char *rest)
{
	uint64_t pcs[TRACE];
	struct task *task = find(rest);

	if (!task)
		return;
	/* The shell itself runs, so what is told of it is where it was interrupted last. */
	bool interrupts = interrupts_disable();
	uint32_t count = task_backtrace(task, pcs, TRACE);
	interrupts_restore(interrupts);
	print("task %lu (%s), %s:\n", task->id, task->name, task_state_name(task));
	print_backtrace(pcs, count);
}

static void memory(char *rest)
{
	const char *wrong = memory_check();

	(void)rest;
	print("%u pages free; the kernel's heap: %lu blocks, %lu bytes\n", pages_free(), kernel_heap.blocks,
	      kernel_heap.bytes);
	if (!wrong)
		wrong = task_check();
	print("consistent: %s\n", wrong ? wrong : "yes");
}

/* --- Doing --- */

static void kill(char *rest)
{
	uint64_t id;

	if (!text_number(text_word(&rest), &id) || task_kill(id) != OK)
		print("no such task\n");
}

/* What a crash used goes when its task is gone: another one waits for that. */
static intptr_t watch(void *argument)
{
	struct crash *crash = argument;
	struct task_end end;
	uint64_t id = crash->parameter;

	if (task_join(id, &end) == OK)
		task_print_end(crash->kind->name, id, &end);
	machine_use_interrupt_stack(EXCEPTION_PAGE, true);
	crash_deinit(crash);
	heap_give(&kernel_heap, crash);
	return 0;
}

static void start_crash(const struct crash_kind *kind)
{
	struct crash *crash = heap_take(&kernel_heap, sizeof *crash);
	uint64_t watcher = 0;
	struct task_end end;

	if (!crash || crash_init(crash, kind) != OK || task_spawn(kind->name, crash_run, crash, &crash->parameter) != OK) {
		print("no memory\n");
		return;
	}
	print("task %lu: %s\n", crash->parameter, kind->what);
	task_spawn("watch", watch, crash, &watcher);
	bool endless = kind->endless;
	crash->go = true;
	if (!endless)
		task_join(watcher, &end);
}

static void crash(char *rest)
{
	const struct crash_kind *kind = crash_kind_find(text_word(&rest));

	if (kind) {
		start_crash(kind);
		return;
	}
	for (unsigned i = 0; (kind = crash_kind_at(i)) != NULL; i++)
		print("  crash %-13s %s%s\n", kind->name, kind->what, kind->endless ? ", until it is killed" : "");
}

static void leave(char *rest)
{
	(void)rest;
	machine_exit(EXIT_PASSED);
}

static void help(char *rest);
static const struct {
	const char *name, *what;
	void (*function)(char *rest);
} commands[] = {
	{ "ps", "tasks", ps },
	{ "kill", "kill N: stop a task", kill },
	{ "crash", "crash KIND: start a task that ends badly; without KIND, a list", crash },
	{ "locks", "mutexes, who owns them, and whether they are poisoned", locks },
	{ "bt", "bt N: where a task stands", bt },
	{ "memory", "pages and blocks, and whether the kernel agrees with itself", memory },
	{ "help", "this", help },
	{ "exit", "power off", leave },
};

static void help(char *rest)
{
	(void)rest;
	for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++)
		print("  %-7s %s\n", commands[i].name, commands[i].what);
}

void shell_command(char *line)
{
	char *rest = line;
	const char *word = text_word(&rest);

	for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (!text_equal(commands[i].name, word))
			continue;
		commands[i].function(rest);
		return;
	}
	if (*word)
		print("%s? try help\n", word);
}

static void read_line(char *line, unsigned size)
{
	unsigned used = 0;

	for (;;) {
		char c = serial_read();
		if (c == '\r' || c == '\n')
			break;
		if ((c == '\b' || c == 127) && used > 0) {
			used--;
			print("\b \b");
		} else if (c >= ' ' && c < 127 && used + 1 < size) {
			line[used++] = c;
			print("%c", c);
		}
	}
	line[used] = '\0';
	print("\n");
}

intptr_t shell_run(void *unused)
{
	char line[LINE];

	(void)unused;
	print("Type help for a list of commands.\n");
	for (;;) {
		print("> ");
		read_line(line, sizeof line);
		shell_command(line);
	}
	return 0;
}
