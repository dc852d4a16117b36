/* SPDX-License-Identifier: MIT
 * Benchmark: how long a kill takes, from rip_kill on another thread until the guest's outermost cleanup runs: median and 99th
 * percentile, in microseconds. And what killing and unwinding a guest that has yielded costs, in nanoseconds. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ripcord/kill.h"

enum { KILLS = 500, YIELDED = 20000 };

static volatile int ready;
static volatile unsigned long sink;
static double killed_at, cleaned_at;
static int pipe_ends[2];
static FILE *null_file;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void note_time(int *unused)
{
	(void)unused;
	cleaned_at = now();
}
#define NOTED __attribute__((cleanup(note_time), unused))

#define WORK(name, ...) \
	static intptr_t name(void *unused) \
	{ \
		int noted NOTED = 0; \
		(void)unused; \
		ready = 1; \
		for (;;) { \
			__VA_ARGS__; \
		} \
		return noted; \
	}

static char from[1 << 16], to[1 << 16];
static int numbers[20000];

static int compare(const void *a, const void *b)
{
	return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static void shuffle(void)
{
	for (int i = 0; i < 20000; i++)
		numbers[i] = (i * 7919) % 20011;
}

WORK(spin, sink++)
WORK(copy, memcpy(to, from, sizeof to); __asm__ volatile("" ::: "memory"))
WORK(sort, shuffle(); qsort(numbers, 20000, sizeof numbers[0], compare))
WORK(print, fprintf(null_file, "%d %s %f\n", 17, "words", 3.25))
WORK(block, char byte; sink += (unsigned long)read(pipe_ends[0], &byte, 1))

static void *kill_soon(void *handle)
{
	while (!ready)
		sched_yield();
	for (int i = rand() % 20000; i > 0; i--)
		sink++;
	killed_at = now();
	rip_kill(*(rip_handle *)handle, RIP_SOFT);
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static void latency(const char *name, rip_function function)
{
	static double times[KILLS];
	rip_options options = { .grace = RIP_NEVER };

	for (int i = 0; i < KILLS; i++) {
		rip_outcome outcome;
		rip_handle handle;
		rip_guest *guest;
		pthread_t thread;

		ready = 0;
		if (rip_create(&options, &guest) != RIP_OK || rip_get_handle(guest, &handle) != RIP_OK)
			abort();
		pthread_create(&thread, NULL, kill_soon, &handle);
		if (rip_run(guest, function, NULL, &outcome) != RIP_OK || outcome.cause != RIP_CAUSE_KILLED)
			abort();
		pthread_join(thread, NULL);
		rip_destroy(guest);
		times[i] = (cleaned_at - killed_at) / 1e3;
	}
	qsort(times, KILLS, sizeof times[0], by_value);
	printf("%s_median_us %.1f\n%s_99_us %.1f\n", name, times[KILLS / 2], name, times[KILLS * 99 / 100]);
}

static intptr_t yield_once(void *unused)
{
	int noted NOTED = 0;

	(void)unused;
	rip_yield(NULL, 0, NULL, NULL);
	return noted;
}

static void yielded(void)
{
	rip_options options = { .grace = RIP_NEVER };
	rip_outcome outcome;
	rip_handle handle;
	rip_guest *guest;
	double time = 0;

	if (rip_create(&options, &guest) != RIP_OK)
		abort();
	for (int i = 0; i < YIELDED; i++) {
		rip_get_handle(guest, &handle);
		rip_run(guest, yield_once, NULL, &outcome);
		double start = now();
		rip_kill(handle, RIP_SOFT);
		rip_unwind(guest, &outcome);
		time += now() - start;
		rip_reset(guest);
	}
	printf("yielded_ns %.0f\n", time / YIELDED);
	rip_destroy(guest);
}

int main(void)
{
	null_file = fopen("/dev/null", "w");
	if (!null_file || pipe(pipe_ends) != 0)
		return 1;
	yielded();
	latency("spin", spin);
	latency("memcpy", copy);
	latency("qsort", sort);
	latency("printf", print);
	latency("read", block);
	return 0;
}
