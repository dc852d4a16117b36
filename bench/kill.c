/* SPDX-License-Identifier: MIT
 * Benchmark: how long a kill takes, from rip_kill on another thread until the guest's outermost cleanup runs: median and 99th
 * percentile, in microseconds. The same where threads are stepped to their next poll; and where no return is hooked, so
 * that a thread in foreign code is looked at again and again until it is found elsewhere; kills that are not over by then
 * end firmly after 100 milliseconds, and count as such. What a breakpoint of the processor's costs, from before it is set
 * until it has been hit and taken away. And what killing and unwinding a guest that has yielded costs, in nanoseconds. */
#include <errno.h>
#include <fcntl.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "arch.h"
#include "fault/fault.h"
#include "ripcord/kill.h"

enum { KILLS = 500, YIELDED = 20000, BREAKS = 2000 };

static volatile int ready;
static volatile unsigned long sink;
static double killed_at, cleaned_at;
static int pipe_ends[2];
static FILE *null_file;

/* A guest's qsort is linked, which asks whether a guest runs; the other parts are not. */
bool rip_active(void);
bool rip_active(void)
{
	return true;
}

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

static void latency(const char *how, const char *name, rip_function function, uint64_t grace, int kills)
{
	static double times[KILLS];
	rip_options options = { .grace = grace };
	int firm = 0;

	for (int i = 0; i < kills; i++) {
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
		firm += rip_get_report(guest)->rung != RIP_SOFT;
		rip_destroy(guest);
		times[i] = (cleaned_at - killed_at) / 1e3;
	}
	qsort(times, (size_t)kills, sizeof times[0], by_value);
	printf("%s%s_median_us %.1f\n%s%s_99_us %.1f\n", how, name, times[kills / 2], how, name, times[kills * 99 / 100]);
	if (grace != RIP_NEVER)
		printf("%s%s_firm_percent %.0f\n", how, name, 100.0 * firm / kills);
}

static void latencies(const char *how, uint64_t grace, int kills)
{
	latency(how, "spin", spin, grace, kills);
	latency(how, "memcpy", copy, grace, kills);
	latency(how, "qsort", sort, grace, kills);
	latency(how, "printf", print, grace, kills);
	latency(how, "read", block, grace, kills);
}

/* --- A breakpoint of the processor's, for this thread alone --- */

static volatile int hits, event;

static void on_hit(int signal)
{
	(void)signal;
	hits++;
	ioctl(event, PERF_EVENT_IOC_DISABLE, 0);
}

__attribute__((noinline, noclone)) static void hit_here(void)
{
	sink++;
}

/* False: it is not allowed, or the kernel cannot send a signal for it (before 5.13). */
static bool break_once(double *time_ret)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT, .size = sizeof attr, .bp_type = HW_BREAKPOINT_X, .bp_addr = (uintptr_t)hit_here,
		.bp_len = sizeof(long), .sample_period = 1, .exclude_kernel = 1, .exclude_hv = 1, .sigtrap = 1,
		.remove_on_exec = 1,
	};
	double start = now();
	event = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (event < 0)
		return false;
	hit_here();
	close(event);
	*time_ret = (now() - start) / 1e3;
	return true;
}

static void breakpoints(void)
{
	static double times[BREAKS];
	struct sigaction action = { .sa_handler = on_hit };

	sigaction(SIGTRAP, &action, NULL);
	for (int i = 0; i < BREAKS; i++)
		if (!break_once(&times[i])) {
			printf("# no breakpoints: %s\n", strerror(errno));
			return;
		}
	qsort(times, BREAKS, sizeof times[0], by_value);
	printf("breakpoint_median_us %.1f\nbreakpoint_hits %d\n", times[BREAKS / 2], hits);
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
	latencies("", RIP_NEVER, KILLS);
	rip_arm_never = true;
	latencies("stepped_", RIP_NEVER, KILLS);
	rip_arm_never = false;
	while (rip_arch_hook_take(1) >= 0)
		;
	latencies("sampled_", 100 * 1000 * 1000, 40);
	breakpoints();
	return 0;
}
