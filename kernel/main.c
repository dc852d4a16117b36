/* SPDX-License-Identifier: MIT
 * main: from boot.S to the first task. */
#include "console.h"
#include "stop.h"

void kernel_main(uint32_t start_info);

static void tell(int *number)
{
	print("cleanup %d\n", *number);
}

static intptr_t crash(void *argument)
{
	int number CLEANUP(tell) = 7;

	*(volatile int *)argument = number;
	return number;
}

static intptr_t init(void *argument)
{
	struct task_end end;
	uint64_t id = 0;

	task_spawn("crash", crash, argument, &id);
	task_join(id, &end);
	task_print_end("crash", id, &end);
	machine_exit(end.report.cleanups_run == 1 ? EXIT_PASSED : EXIT_FAILED);
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
