/* SPDX-License-Identifier: MIT
 * A soak: guests of all sorts on several threads, killed softly by another thread and by their deadlines at random
 * moments, while a profiler's signals arrive. Each guest's things are released exactly once, and in the end the process
 * has what it had when the guests had warmed up.
 * KILLS: how many kills in all. SEED: another run. GUEST: the name of the only guest to run. */
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "process.h"
#include "ripcord/kill.h"
#include "ripcord/ripcord.h"
#include "ripcord/unwind.h"
#include "soak_lib.h"
#include "tap.h"

enum { THREADS = 4, MOST_GUESTS = 64, DEADLINE_NS = 300 * 1000, STOPS_NAMED = 20, PROFILE_US = 2000 };

FILE *soak_stream;
pthread_mutex_t soak_mutex = PTHREAD_MUTEX_INITIALIZER;
int soak_pipe[2];
const char *soak_plugin;
volatile int soak_sink;
void *volatile soak_keep;

__attribute__((noinline)) struct thing thing_acquire(struct load *load, unsigned number)
{
	load->is_held[number] = 1;
	load->acquired++;
	return (struct thing){ load, number };
}

__attribute__((noinline)) void thing_release(struct thing *thing)
{
	thing->load->twice += !thing->load->is_held[thing->number];
	thing->load->is_held[thing->number] = 0;
	thing->load->released++;
}

/* --- The guests, and what has become of them --- */

static struct soak_guest guests[MOST_GUESTS];
static unsigned guest_count;
static unsigned long stops[MOST_GUESTS];
enum { KILLS_USUALLY = 2000 };
static unsigned long kills_wanted = KILLS_USUALLY, kills, lost, twice, inexact, failed, samples;
static unsigned seed = 1;

static void add_guests(const struct soak_guest *more, unsigned count)
{
	const char *only = getenv("GUEST");

	for (unsigned i = 0; i < count && guest_count < MOST_GUESTS; i++)
		if (!only || strcmp(only, more[i].name) == 0)
			guests[guest_count++] = more[i];
}

static unsigned random_from(unsigned *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 16;
}

static void count_up(unsigned long *count, unsigned long by)
{
	__atomic_add_fetch(count, by, __ATOMIC_SEQ_CST);
}

static bool is_enough(void)
{
	return __atomic_load_n(&kills, __ATOMIC_SEQ_CST) >= kills_wanted;
}

static int write_text(void *text, const char *part, size_t size)
{
	strncat(text, part, size < 4095 - strlen(text) ? size : 4095 - strlen(text));
	return 0;
}

/* As TAP's comments. */
static void tell(const char *name, const struct load *load, const rip_report *report)
{
	static int told;
	char text[4096] = "", *rest = text, *line;

	if (__atomic_add_fetch(&told, 1, __ATOMIC_SEQ_CST) > STOPS_NAMED)
		return;
	printf("# %s: %s, rung %d, acquired %u, released %u, twice %u, failed %d, abandoned %d (%s)\n", name,
	       rip_cause_name(report->cause), report->rung, load->acquired, load->released, load->twice,
	       (int)report->cleanups_failed, report->abandoned, rip_status_name(report->abandon_reason));
	rip_report_text(report, NULL, write_text, text);
	while ((line = strtok_r(rest, "\n", &rest)))
		printf("#   %s\n", line);
	fflush(stdout);
}

static void judge(unsigned which, const struct load *load, const rip_report *report)
{
	bool by_kill = report->rung != RIP_RUNG_NONE;
	bool exact = report->rung <= RIP_SOFT && !report->abandoned && report->cleanups_failed == 0;
	bool whole = load->acquired == load->released && load->twice == 0;

	count_up(&kills, by_kill);
	count_up(&stops[which], 1);
	count_up(&inexact, !exact);
	count_up(&lost, load->acquired != load->released);
	count_up(&twice, load->twice);
	if (!exact || !whole)
		tell(guests[which].name, load, report);
}

/* --- Threads --- */

static rip_handle handles[THREADS];
static int running;

static void run_one(unsigned thread, unsigned *state)
{
	unsigned which = random_from(state) % guest_count, how = random_from(state);
	struct load load = { .seed = *state };
	rip_options options = { .stack_size = 128 * 1024, .grace = RIP_NEVER };
	rip_outcome outcome = { RIP_CAUSE_NONE, 0, NULL };
	rip_guest *guest;
	rip_handle handle;

	if (how % 2)
		options.deadline = 1 + (how * 7919ull) % DEADLINE_NS;
	if (rip_create(&options, &guest) != RIP_OK) {
		count_up(&failed, 1);
		return;
	}
	if (rip_get_handle(guest, &handle) != RIP_OK)
		count_up(&failed, 1);
	else if (!options.deadline)
		__atomic_store_n(&handles[thread], handle, __ATOMIC_SEQ_CST);
	if (rip_run(guest, guests[which].run, &load, &outcome) != RIP_OK)
		count_up(&failed, 1);
	while (outcome.cause == RIP_CAUSE_YIELDED)
		if (rip_resume(guest, NULL, 0, &outcome) != RIP_OK)
			count_up(&failed, 1);
	judge(which, &load, rip_get_report(guest));
	if (rip_destroy(guest) != RIP_OK)
		count_up(&failed, 1);
}

static void *run_guests(void *context)
{
	unsigned thread = (unsigned)(uintptr_t)context, state = seed * 100 + thread;

	while (!is_enough())
		run_one(thread, &state);
	__atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void *kill_anybody(void *unused)
{
	unsigned state = seed ^ 0x5eed;

	while (__atomic_load_n(&running, __ATOMIC_SEQ_CST) > 0) {
		rip_kill(__atomic_load_n(&handles[random_from(&state) % THREADS], __ATOMIC_SEQ_CST), RIP_SOFT);
		usleep(random_from(&state) % 200);
	}
	return unused;
}

/* A sampling profiler, on whatever stack the thread has for signals. */
static void sample(int signal)
{
	void *pcs[64];

	(void)signal;
	count_up(&samples, rip_backtrace(pcs, 64) > 0);
}

static void profile(bool on)
{
	struct sigaction action = { .sa_handler = sample, .sa_flags = SA_ONSTACK | SA_RESTART };
	struct itimerval often = { { 0, on ? PROFILE_US : 0 }, { 0, on ? PROFILE_US : 0 } };

	sigemptyset(&action.sa_mask);
	if (on)
		sigaction(SIGPROF, &action, NULL);
	setitimer(ITIMER_PROF, &often, NULL);
}

static void run_until(unsigned long wanted)
{
	pthread_t threads[THREADS], killer;

	kills_wanted = wanted;
	running = THREADS;
	for (unsigned i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, run_guests, (void *)(uintptr_t)i);
	pthread_create(&killer, NULL, kill_anybody, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_join(killer, NULL);
}

/* --- What the process has --- */

struct holdings {
	long descriptors, mappings;
	size_t heap;
};

static struct holdings holdings_now(void)
{
	fflush(soak_stream);
	return (struct holdings){ process_descriptors(), process_mappings(), mallinfo2().uordblks };
}

static void expect_unchanged(const struct holdings *before, const struct holdings *after)
{
	tap_equal(after->descriptors, before->descriptors, "no descriptor was left open");
	/* Thread stacks and heaps are kept for the next threads, at most one a thread. */
	tap_ok(after->mappings <= before->mappings + 4 * THREADS, "mappings: %ld, then %ld", before->mappings,
	       after->mappings);
	tap_ok(after->heap <= before->heap + (256 << 10), "bytes in use of libc's heap: %zu, then %zu", before->heap,
	       after->heap);
	tap_ok(pthread_mutex_trylock(&soak_mutex) == 0, "the mutex is free");
	tap_ok(ftrylockfile(soak_stream) == 0, "the stream is free");
}

static void tell_stops(void)
{
	printf("# seed %u: %lu kills, %lu samples; stops:", seed, kills, samples);
	for (unsigned i = 0; i < guest_count; i++)
		printf(" %s %lu", guests[i].name, stops[i]);
	printf("\n");
}

int main(int argc, char **argv)
{
	char plugin[4096];
	struct holdings before, after;
	unsigned long wanted = getenv("KILLS") ? strtoul(getenv("KILLS"), NULL, 10) : kills_wanted;

	(void)argc;
	if (getenv("SEED"))
		seed = (unsigned)atoi(getenv("SEED"));
	snprintf(plugin, sizeof plugin, "%s_plugin.so", argv[0]);
	soak_plugin = plugin;
	soak_stream = fopen("/dev/null", "w");
	if (!soak_stream || pipe(soak_pipe) != 0)
		return 1;
	add_guests(soak_c_guests, soak_c_count);
	add_guests(soak_cxx_guests, soak_cxx_count);
	profile(true);
	run_until(wanted / 4);
	before = holdings_now();
	run_until(wanted);
	after = holdings_now();
	profile(false);
	tell_stops();
	tap_equal(lost, 0, "every thing that was acquired was released");
	tap_equal(twice, 0, "nothing was released twice");
	tap_equal(inexact, 0, "every stop was exact");
	tap_equal(failed, 0, "every guest was made, ran and was destroyed");
	tap_ok(samples > 0 || getenv("GUEST"), "the profiler had samples");
	expect_unchanged(&before, &after);
	tap_done();
}
