/* SPDX-License-Identifier: MIT
 * Duktape killed at random moments of scripts that do not end, in one host process: by another thread and by its
 * deadline. Each kill is soft, so it landed at a poll; nothing stays behind. KILLS: how many in all. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "duktape_lib.h"
#include "process.h"
#include "ripcord/kill.h"

static const char *const scripts[] = { "endless_loop", "endless_regexp", "endless_join", "endless_sort" };
enum { SCRIPTS = sizeof scripts / sizeof scripts[0], KILLS = 400, AT_MOST_NS = 6 * 1000 * 1000 };

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t next_random(void)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return seed;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

struct killer {
	pthread_t thread;
	rip_handle handle;
	uint64_t when;
};

/* The moment is the point, so it is waited for by the clock. */
static void *kill_at(void *context)
{
	struct killer *killer = context;
	struct timespec until = { (time_t)(killer->when / 1000000000u), (long)(killer->when % 1000000000u) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	rip_kill(killer->handle, RIP_SOFT);
	return NULL;
}

static int is_good(const rip_outcome *outcome, const rip_report *report, rip_cause cause, const char *script)
{
	if (outcome->cause == cause && report->rung == RIP_SOFT && !report->abandoned && report->cleanups_failed == 0)
		return 1;
	printf("# %s: %s, rung %d, abandoned %d, failed %d\n", script, rip_cause_name(outcome->cause), report->rung,
	       report->abandoned, (int)report->cleanups_failed);
	return 0;
}

static int run_and_kill(rip_program *program, const char *script, bool by_deadline)
{
	char path[100];
	char *argv[] = { "guest", path, NULL };
	uint64_t wait = 1 + next_random() % AT_MOST_NS;
	rip_options options = { .stack_size = 1 << 20, .grace = RIP_NEVER, .deadline = by_deadline ? wait : 0 };
	struct killer killer = { .when = now() + wait };
	rip_outcome outcome = { 0 };
	rip_guest *guest;

	snprintf(path, sizeof path, "tests/real/js/%s.js", script);
	if (rip_create(&options, &guest) != RIP_OK || rip_get_handle(guest, &killer.handle) != RIP_OK)
		return 0;
	if (!by_deadline)
		pthread_create(&killer.thread, NULL, kill_at, &killer);
	int good = rip_program_run(program, guest, 2, argv, &outcome) == RIP_OK &&
		   is_good(&outcome, rip_get_report(guest), by_deadline ? RIP_CAUSE_DEADLINE : RIP_CAUSE_KILLED, script);
	if (!by_deadline)
		pthread_join(killer.thread, NULL);
	rip_destroy(guest);
	return good;
}

static long resident_pages(void)
{
	long size, resident;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file || fscanf(file, "%ld %ld", &size, &resident) != 2)
		resident = -1;
	fclose(file);
	return resident;
}

struct state {
	long pages, descriptors, maps;
};

static struct state state_now(void)
{
	return (struct state){ resident_pages(), process_descriptors(), process_mappings() };
}

static void all_scripts(rip_program *program, int kills)
{
	struct state before = { 0 };

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < SCRIPTS; i++) {
			int good = 0, runs = kills / SCRIPTS / 2;
			for (int run = 0; run < runs; run++)
				good += run_and_kill(program, scripts[i], run % 2);
			tap_ok(good == runs, "%s: killed at %d random moments, each at a poll", scripts[i], runs);
		}
		if (round == 0)
			before = state_now();
	}
	struct state after = state_now();
	printf("# %d kills: resident pages %ld then %ld, descriptors %ld then %ld, mappings %ld then %ld\n", kills,
	       before.pages, after.pages, before.descriptors, after.descriptors, before.maps, after.maps);
	tap_equal(after.descriptors, before.descriptors, "no descriptor is left open");
	tap_ok(after.maps <= before.maps + 4, "nor a mapping");
	tap_ok(after.pages <= before.pages + 512, "nor memory");
}

int main(void)
{
	const char *kills = getenv("KILLS");
	rip_program *program = open_duktape("guest");

	all_scripts(program, kills ? atoi(kills) : KILLS);
	rip_program_close(program);
	tap_done();
}
