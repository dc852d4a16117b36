/* SPDX-License-Identifier: MIT
 * Benchmark: the forced unwind of a stopped guest, per cleanup frame and per plain frame. Prints "name value"
 * lines, nanoseconds: what 100 frames more cost, divided by 100; medians. Only the engine is timed: not the run
 * that got the guest there, nor the report. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ripcord/unwind.h"
#include "stop/stop.h"

enum { FEW = 10, MANY = 110, ROUNDS = 15, RUNS = 2000 };

static volatile int sink;
static struct rip_stop stop;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void drop(int *p)
{
	sink += *p;
}

__attribute__((noinline)) static int cleanup_frames(int depth)
{
	int held __attribute__((cleanup(drop))) = depth;

	if (depth == 0)
		rip_stop_leave(&stop, RIP_EVENT_LEFT);
	else if (depth < 0)
		return 0; /* never: the compiler wants a way out */
	cleanup_frames(depth - 1);
	sink++;
	return held;
}

__attribute__((noinline)) static int plain_frames(int depth)
{
	if (depth == 0)
		rip_stop_leave(&stop, RIP_EVENT_LEFT);
	else if (depth < 0)
		return 0; /* never: the compiler wants a way out */
	plain_frames(depth - 1);
	sink++;
	return depth;
}

static intptr_t run_cleanup_frames(void *depth)
{
	return cleanup_frames((int)(intptr_t)depth);
}

static intptr_t run_plain_frames(void *depth)
{
	return plain_frames((int)(intptr_t)depth);
}

static double unwind_time(intptr_t (*function)(void *), int depth)
{
	struct rip_stop_result result;
	double time = 0;

	for (int i = 0; i < RUNS; i++) {
		if (rip_stop_enter(&stop, function, (void *)(intptr_t)depth, stop.stack.top) != RIP_EVENT_LEFT)
			abort();
		double start = now();
		rip_stop_unwind(&stop, NULL, NULL, NULL, &result);
		time += now() - start;
		if (result.abandoned || result.cleanups_failed)
			abort();
	}
	return time / RUNS;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double per_frame(intptr_t (*function)(void *))
{
	double times[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		times[i] = (unwind_time(function, MANY) - unwind_time(function, FEW)) / (MANY - FEW);
	qsort(times, ROUNDS, sizeof times[0], by_value);
	return times[ROUNDS / 2];
}

int main(void)
{
	struct rip_stack stack;

	if (rip_stack_create(256 * 1024, 64 * 1024, &stack) != RIP_OK)
		return 1;
	rip_stop_init(&stop, &stack);
	printf("forced_cleanup_frame %.1f\n", per_frame(run_cleanup_frames));
	printf("forced_plain_frame %.1f\n", per_frame(run_plain_frames));
}
