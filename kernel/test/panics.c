/* SPDX-License-Identifier: MIT
 * panics: faults that are the kernel's end. What is printed, tests/kernel/all/kernel.sh looks at. */
#include "stop.h"
#include "tap.h"

static int *volatile nowhere;
static struct spinlock lock = { .name = "test" };

__attribute__((noinline)) static void fault_in_section(void)
{
	bool interrupts = spin_lock(&lock);
	*nowhere = 1;
	spin_unlock(&lock, interrupts);
}

/* The timer's interrupt will follow the queue's address. */
__attribute__((noinline)) static void fault_in_interrupt(void)
{
	struct task *task = task_current();

	interrupts_disable();
	task->queue = (struct queue *)8;
	task->state = TASK_WAITING;
	task->wake_at = 1;
	__asm__ volatile("sti");
	for (;;)
		;
}

static void fault_in_hook(struct task *task)
{
	(void)task;
	*nowhere = 1;
}

static void fault_while_unwinding(void)
{
	stop_hook = fault_in_hook;
	*nowhere = 1;
}

__attribute__((noinline)) static void lock_twice(void)
{
	bool interrupts = spin_lock(&lock);
	interrupts_restore(spin_lock(&lock) || interrupts);
}

void tests_panic(const char *name)
{
	static const struct {
		const char *name;
		void (*function)(void);
	} cases[] = {
		{ "section", fault_in_section },
		{ "interrupt", fault_in_interrupt },
		{ "unwinding", fault_while_unwinding },
		{ "twice", lock_twice },
	};

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
		if (text_equal(cases[i].name, name))
			cases[i].function();
	print("nothing ends by '%s'\n", name);
	machine_exit(EXIT_FAILED);
}
