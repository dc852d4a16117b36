/* SPDX-License-Identifier: MIT
 * Benchmark: how long a kill takes in Duktape: from rip_kill on another thread until the guest is stopped, and until the
 * host has its end, with what its heap held taken back. Median and 99th percentile in microseconds, for scripts that do
 * not end.
 * Usage: kill_duktape GUEST SCRIPT... */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ripcord/kill.h"

enum { KILLS = 300, AT_LEAST_NS = 4 * 1000 * 1000, SPREAD_NS = 2 * 1000 * 1000 };

static double killed_at, stopped_at;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void *kill_later(void *handle)
{
	struct timespec wait = { .tv_nsec = AT_LEAST_NS + rand() % SPREAD_NS };

	nanosleep(&wait, NULL);
	killed_at = now();
	rip_kill(*(rip_handle *)handle, RIP_SOFT);
	return NULL;
}

static void on_stop(rip_guest *guest, void *context)
{
	(void)guest, (void)context;
	stopped_at = now();
}

static void kill_once(rip_program *program, char *script, double *stop_ret, double *end_ret)
{
	char *argv[] = { "guest", script, NULL };
	rip_options options = { .stack_size = 1 << 20, .grace = RIP_NEVER, .on_stop = on_stop };
	rip_outcome outcome;
	rip_handle handle;
	rip_guest *guest;
	pthread_t thread;

	if (rip_create(&options, &guest) != RIP_OK || rip_get_handle(guest, &handle) != RIP_OK ||
	    pthread_create(&thread, NULL, kill_later, &handle) != 0 ||
	    rip_program_run(program, guest, 2, argv, &outcome) != RIP_OK || outcome.cause != RIP_CAUSE_KILLED)
		abort();
	double end = now();
	pthread_join(thread, NULL);
	rip_destroy(guest);
	*stop_ret = (stopped_at - killed_at) / 1e3;
	*end_ret = (end - killed_at) / 1e3;
}

static int by_value(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

int main(int argc, char **argv)
{
	static double stops[KILLS], ends[KILLS];
	rip_program *program;

	if (argc < 3 || rip_program_open(argv[1], NULL, &program, NULL) != RIP_OK)
		return 1;
	for (char **script = argv + 2; *script; script++) {
		for (int i = 0; i < KILLS; i++)
			kill_once(program, *script, &stops[i], &ends[i]);
		qsort(stops, KILLS, sizeof stops[0], by_value);
		qsort(ends, KILLS, sizeof ends[0], by_value);
		printf("%s: stopped: median %.1f us, 99 %% %.1f us; ended: %.1f, %.1f\n", *script, stops[KILLS / 2],
		       stops[KILLS * 99 / 100], ends[KILLS / 2], ends[KILLS * 99 / 100]);
	}
	rip_program_close(program);
	return 0;
}
