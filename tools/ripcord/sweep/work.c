/* SPDX-License-Identifier: MIT
 * work: the processes of a sweep: one that counts, then some that stop; and what they send. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../tool.h"
#include "ripcord/symbolize.h"
#include "sweep.h"

enum { WAIT_MS = 100 };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

/* --- Progress --- */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t sum_done(const struct sweep_plan *plan)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < plan->options->jobs; i++)
		for (unsigned kind = 0; kind < SWEEP_KINDS; kind++)
			sum += plan->shared->workers[i].done[kind];
	return sum;
}

static uint64_t picked_of(const struct sweep_plan *plan, enum sweep_kind kind)
{
	const struct sweep_options *options = plan->options;
	uint64_t all = plan->shared->count.candidates[kind];

	if (!(options->kinds >> kind & 1))
		return 0;
	if (options->random)
		return options->random < all ? options->random : all;
	return (all + options->every - 1) / options->every;
}

static uint64_t sum_picked(const struct sweep_plan *plan)
{
	uint64_t sum = 0;

	for (enum sweep_kind kind = 0; kind < SWEEP_KINDS; kind++)
		sum += picked_of(plan, kind);
	return sum;
}

struct watch {
	uint64_t since;
	uint64_t found; /* stops with findings */
	bool counting, shown;
};

static void show_progress(const struct sweep_plan *plan, struct watch *watch)
{
	if (!isatty(STDERR_FILENO))
		return;
	watch->shown = true;
	if (watch->counting) {
		fprintf(stderr, "\r\033[Kcounting: %llu instructions", (unsigned long long)plan->shared->workers[0].steps);
		return;
	}
	uint64_t done = sum_done(plan), all = sum_picked(plan), spent = now_ns() - watch->since;
	fprintf(stderr, "\r\033[K%llu stops done, %llu left, %.0f/s, %llu findings", (unsigned long long)done,
		(unsigned long long)(all > done ? all - done : 0), spent ? (double)done * 1e9 / (double)spent : 0,
		(unsigned long long)watch->found);
}

static void end_progress(const struct watch *watch)
{
	if (watch->shown)
		fprintf(stderr, "\r\033[K");
}

/* --- Processes --- */

/* A group of its own: an interrupt from the terminal is for the main process, which ends the group. */
static pid_t start(const struct sweep_plan *plan, enum sweep_mode mode, unsigned number)
{
	pid_t parent = getpid(), child = fork();

	if (child > 0)
		setpgid(child, child);
	if (child != 0)
		return child;
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signal(SIGINT, SIG_DFL);
	sweep_run(plan, mode, number);
	_exit(1);
}

struct process { pid_t pid; bool gone; int status; };

static bool all_gone(struct process *processes, unsigned count)
{
	bool all = true;

	for (unsigned i = 0; i < count; i++) {
		if (!processes[i].gone)
			processes[i].gone = waitpid(processes[i].pid, &processes[i].status, WNOHANG) == processes[i].pid;
		all &= processes[i].gone;
	}
	return all;
}

static void receive(const struct sweep_plan *plan, int from, struct sweep_result *result, rip_symbolizer *symbolizer,
		    struct watch *watch)
{
	struct sweep_finding findings[32];
	ssize_t got;

	/* Each is written at once and smaller than PIPE_BUF, so a read ends between two. */
	while ((got = read(from, findings, sizeof findings)) > 0)
		for (size_t i = 0; i < (size_t)got / sizeof *findings; i++) {
			sweep_rows_add(result, &findings[i], symbolizer);
			sweep_cross_add(plan, result, &findings[i]);
			watch->found += findings[i].times;
		}
}

static void end_groups(struct process *processes, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!processes[i].gone)
			kill(-processes[i].pid, SIGKILL);
}

/* Starts `count` processes and waits for them. False: not all could be started. */
static bool run_all(const struct sweep_plan *plan, enum sweep_mode mode, unsigned count, int from,
		    struct sweep_result *result, rip_symbolizer *symbolizer)
{
	struct process processes[SWEEP_JOBS_MAX] = { 0 };
	struct watch watch = { .since = now_ns(), .counting = mode == MODE_COUNT };
	struct pollfd incoming = { .fd = from, .events = POLLIN };
	unsigned started = 0;

	for (; started < count; started++)
		if ((processes[started].pid = start(plan, mode, started)) < 0)
			break;
	if (started < count || interrupted)
		end_groups(processes, started);
	while (!all_gone(processes, started)) {
		if (poll(&incoming, 1, WAIT_MS) > 0)
			receive(plan, from, result, symbolizer, &watch);
		if (interrupted)
			end_groups(processes, started);
		show_progress(plan, &watch);
	}
	receive(plan, from, result, symbolizer, &watch);
	end_progress(&watch);
	return started == count;
}

/* --- Choosing at random --- */

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* So many of the candidates, each as likely as any other: each is taken with the likeliness of what is still
 * needed among what is left. */
static uint64_t *choose(uint64_t candidates, uint64_t wanted, uint64_t *state)
{
	uint64_t *picked = calloc(candidates / 64 + 1, sizeof *picked);

	for (uint64_t i = 0; picked && i < candidates && wanted; i++)
		if (next_random(state) % (candidates - i) < wanted) {
			picked[i / 64] |= 1ull << i % 64;
			wanted--;
		}
	return picked;
}

static bool choose_all(struct sweep_plan *plan)
{
	uint64_t state = plan->options->seed;

	for (enum sweep_kind kind = 0; kind < SWEEP_KINDS && plan->options->random; kind++) {
		uint64_t all = plan->shared->count.candidates[kind];
		plan->picked[kind] = choose(all, plan->options->random, &state);
		if (!plan->picked[kind])
			return false;
	}
	return true;
}

/* --- The whole --- */

static void sum_up(const struct sweep_plan *plan, struct sweep_result *result)
{
	uint64_t done = sum_done(plan), all = sum_picked(plan);

	for (unsigned i = 0; i < plan->options->jobs; i++) {
		for (unsigned kind = 0; kind < SWEEP_KINDS; kind++)
			result->done[kind] += plan->shared->workers[i].done[kind];
		result->copies += plan->shared->workers[i].copies;
	}
	result->left = all > done ? all - done : 0;
	result->interrupted = interrupted;
}

static bool count_and_stop(struct sweep_plan *plan, int from, struct sweep_result *result, rip_symbolizer *symbolizer)
{
	struct sigaction action = { .sa_handler = on_interrupt }, earlier;

	sigaction(SIGINT, &action, &earlier);
	bool good = run_all(plan, MODE_COUNT, 1, from, result, symbolizer);
	bool ended = plan->shared->workers[0].ended;
	if (!ended && !interrupted)
		snprintf(result->error, sizeof result->error, "the guest's run did not come to its end");
	if (ended && plan->module->from && plan->shared->count.instructions == 0)
		snprintf(result->error, sizeof result->error, "%.80s was not called", plan->options->from);
	memset(plan->shared->workers, 0, sizeof plan->shared->workers);
	if (good && ended && !interrupted)
		good = choose_all(plan) && run_all(plan, MODE_SWEEP, plan->options->jobs, from, result, symbolizer);
	sigaction(SIGINT, &earlier, NULL);
	return good;
}

static void *share(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

bool sweep_work(struct sweep_plan *plan, struct sweep_result *result)
{
	rip_symbolizer *symbolizer = NULL;
	int ends[2];

	memset(result, 0, sizeof *result);
	plan->shared = share(sizeof *plan->shared);
	plan->seen = share(plan->module->high - plan->module->low);
	if (!plan->shared || !plan->seen || pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
		return false;
	rip_symbolizer_create(&symbolizer);
	sweep_names_begin(plan);
	sweep_cross_begin(plan, result);
	malloc_trim(0); /* what the audit took would be copied at each stop */
	plan->findings = ends[1];
	bool good = count_and_stop(plan, ends[0], result, symbolizer);
	sum_up(plan, result);
	sweep_rows_sort(result);
	sweep_cross_end(plan, result);
	sweep_lines_read(result, plan, symbolizer);
	rip_symbolizer_destroy(symbolizer);
	sweep_names_end();
	close(ends[0]);
	close(ends[1]);
	return good;
}
