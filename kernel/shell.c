/* SPDX-License-Identifier: MIT
 * shell: commands, and the tasks that they make. */
#include "shell.h"

#include "console.h"
#include "crash.h"
#include "keep.h"

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

static void locks(char *rest)
{
	struct mutex_state state;

	(void)rest;
	print("%-15s %5s %-9s %7s %s\n", "LOCK", "OWNER", "", "WAITING", "TAKEN");
	for (unsigned i = 0; mutex_look(i, &state); i++)
		print("%-15s %5lu %-9s %7u %lu\n", state.name, state.owner, state.poisoned ? "poisoned" : "", state.waiting,
		      state.taken);
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
	const char *wrong = kernel_check();

	(void)rest;
	print("%u pages free; the kernel's heap: %lu blocks, %lu bytes\n", pages_free(), kernel_heap.blocks,
	      kernel_heap.bytes);
	print("consistent: %s\n", wrong ? wrong : "yes");
}

/* --- Doing --- */

/* Tasks that crash, in the background or not: when one has ended, the shell says so before it asks again. */
static struct job {
	struct crash crash;
	struct mutex_guard other; /* the shell's, of crash.other */
	uint64_t id;
	struct job *next;
} *jobs;

static void end_job(struct job *job, const struct task_end *end)
{
	task_print_end(job->crash.kind->name, job->id, end);
	machine_use_interrupt_stack(EXCEPTION_PAGE, true); /* crash double has changed that */
	mutex_unlock(&job->other);
	crash_deinit(&job->crash);
	heap_give(&kernel_heap, job);
}

static void tell_ended(void)
{
	struct task_end end;

	for (struct job **at = &jobs; *at;) {
		struct job *job = *at;
		if (task_find(job->id) || task_join(job->id, &end) != OK) {
			at = &job->next;
			continue;
		}
		*at = job->next;
		end_job(job, &end);
	}
}

/* A kill may take a while: see KILL_GRACE. */
static void kill(char *rest)
{
	uint64_t id, end = task_ticks() + 2 * KILL_GRACE;

	if (!text_number(text_word(&rest), &id) || task_kill(id) != OK) {
		print("no such task\n");
		return;
	}
	while (task_find(id) && task_ticks() < end)
		task_sleep(1);
}

static bool start_job(struct job *job, const struct crash_kind *kind)
{
	if (crash_init(&job->crash, kind) != OK)
		return false;
	mutex_lock(&job->other, &job->crash.other);
	job->crash.go = true;
	if (task_spawn(kind->name, crash_run, &job->crash, &job->id) == OK)
		return true;
	mutex_unlock(&job->other);
	crash_deinit(&job->crash);
	return false;
}

static void start_crash(const struct crash_kind *kind)
{
	struct job *job = heap_take(&kernel_heap, sizeof *job);

	if (!job || !start_job(job, kind)) {
		heap_give(&kernel_heap, job);
		print("no memory\n");
		return;
	}
	job->next = jobs;
	jobs = job;
	print("task %lu: %s\n", job->id, kind->what);
	while (!kind->endless && task_find(job->id))
		task_sleep(1);
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

static void keep(char *rest)
{
	const struct keep_kind *kind = keep_kind_find(text_word(&rest));

	if (kind) {
		keep_run(kind);
		return;
	}
	for (unsigned i = 0; (kind = keep_kind_at(i)) != NULL; i++)
		print("  keep %-8s %s\n", keep_kind_name(kind), keep_kind_what(kind));
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
	{ "keep", "keep KIND: a task that faults, and its keepers; without KIND, a list", keep },
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
		tell_ended();
		print("> ");
		read_line(line, sizeof line);
		shell_command(line);
	}
	return 0;
}
