/* SPDX-License-Identifier: MIT
 * A task that the plugin has made killable. */
#include "killed_lib.h"

volatile int killed_held, killed_events;

__attribute__((noinline)) static int take(void)
{
	killed_held++;
	return 1;
}

static void give(int *one)
{
	killed_held -= *one;
	killed_events++;
}

#define HOLD __attribute__((cleanup(give), unused)) int guard = take()

__attribute__((noinline)) static int work(int depth)
{
	HOLD;
	int sum = 0;

	for (int i = 0; i < 3; i++) {
		HOLD;
		sum += depth ? work(depth - 1) : i;
	}
	return sum;
}

intptr_t killed_task(void *argument)
{
	HOLD;
	return work((int)(intptr_t)argument);
}
