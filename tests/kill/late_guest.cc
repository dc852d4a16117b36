// SPDX-License-Identifier: MIT
// How much processor time a thread takes from the moment that its guest is killed until it has stopped, for
// guests that throw, jump or sleep all the time. Host and guest: built by `ripcord c++`, run by late.sh under each
// unwinder. Usage: late KIND DEPTH, which prints "KIND DEPTH MEDIAN ONE SOFT LOST WALL": the median in us, how long
// one throw of the host's own takes, how many of ROUNDS were soft, releases that are missing, the median on the
// wall's clock.
#include <pthread.h>
#include <setjmp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <thread>

#include "ripcord/kill.h"
#include "ripcord/ripcord.h"

#define NOINLINE __attribute__((noinline, noclone))

namespace {

enum { ROUNDS = 15 };

int depth;
volatile int sink;
volatile long acquired, released;

struct resource {
	resource() { acquired = acquired + 1; }
	~resource() { released = released + 1; }
};

// --- Guests ---

NOINLINE void throw_through(int frames)
{
	resource r;
	if (frames <= 1)
		throw frames;
	throw_through(frames - 1);
	sink = frames;
}

intptr_t throws(void *)
{
	for (;;)
		try {
			resource r;
			throw_through(depth);
		} catch (int x) {
			sink = x;
		}
}

// The same with so many frames of its own below the catch.
NOINLINE int throw_above(int frames)
{
	resource r;
	if (frames == 0)
		throws(nullptr);
	int x = throw_above(frames - 1);
	sink = x;
	return x + 1;
}

intptr_t throws_high_up(void *) { return throw_above(100); }

NOINLINE void throw_again(int frames)
{
	resource r;
	try {
		if (frames <= 1)
			throw frames;
		throw_again(frames - 1);
	} catch (...) {
		resource q;
		throw;
	}
}

intptr_t throws_again(void *)
{
	for (;;)
		try {
			throw_again(depth);
		} catch (int x) {
			sink = x;
		}
}

struct throws_at_its_end {
	resource r;
	~throws_at_its_end()
	{
		try {
			throw_through(depth);
		} catch (int x) {
			sink = x;
		}
	}
};

intptr_t throws_in_destructors(void *)
{
	for (;;)
		throws_at_its_end t;
}

jmp_buf plain;
sigjmp_buf with_mask;

NOINLINE void jump(int frames)
{
	if (frames <= 1)
		longjmp(plain, 1);
	jump(frames - 1);
	sink = frames;
}

intptr_t jumps(void *)
{
	resource r;
	for (;;)
		if (!setjmp(plain))
			jump(depth);
}

intptr_t jumps_with_mask(void *)
{
	resource r;
	for (;;)
		if (!sigsetjmp(with_mask, 1))
			siglongjmp(with_mask, 1);
}

intptr_t sleeps(void *)
{
	for (;;) {
		resource r;
		std::this_thread::sleep_for(std::chrono::seconds(100 * depth));
	}
}

intptr_t naps(void *)
{
	for (;;) {
		resource r;
		std::this_thread::sleep_for(std::chrono::microseconds(depth));
	}
}

const struct { const char *name; rip_function run; bool works; } kinds[] = {
	{ "throws", throws, true }, { "high", throws_high_up, true }, { "again", throws_again, true },
	{ "destructors", throws_in_destructors, true }, { "jumps", jumps, true }, { "masks", jumps_with_mask, true },
	{ "sleeps", sleeps, false }, { "naps", naps, false },
};

// --- The host ---

double time_of(clockid_t clock)
{
	timespec t;
	clock_gettime(clock, &t);
	return double(t.tv_sec) * 1e6 + double(t.tv_nsec) * 1e-3;
}

clockid_t its_clock;
rip_handle handle;
bool works;
double asked, asked_wall, stopped, stopped_wall;

void on_stop(rip_guest *, void *)
{
	stopped = time_of(CLOCK_THREAD_CPUTIME_ID);
	stopped_wall = time_of(CLOCK_MONOTONIC);
}

// When the guest has worked for 200 to 1,200 us of processor time, or acquired something and slept as long.
void *kill_it(void *)
{
	useconds_t wait = useconds_t(rand() % 1000);
	double until = time_of(its_clock) + 200 + wait;

	while (works ? time_of(its_clock) < until : acquired == 0)
		usleep(100);
	if (!works)
		usleep(wait);
	asked = time_of(its_clock);
	asked_wall = time_of(CLOCK_MONOTONIC);
	rip_kill(handle, RIP_SOFT);
	return nullptr;
}

bool run_killed(rip_function function)
{
	rip_options options = rip_options();
	rip_outcome outcome;
	rip_guest *guest;
	pthread_t thread;

	options.grace = RIP_NEVER;
	options.on_stop = on_stop;
	acquired = 0;
	if (rip_create(&options, &guest) != RIP_OK || rip_get_handle(guest, &handle) != RIP_OK ||
	    pthread_create(&thread, nullptr, kill_it, nullptr) != 0 ||
	    rip_run(guest, function, nullptr, &outcome) != RIP_OK)
		exit(2);
	pthread_join(thread, nullptr);
	bool soft = outcome.cause == RIP_CAUSE_KILLED && rip_get_report(guest)->rung == RIP_SOFT;
	rip_destroy(guest);
	return soft;
}

double one_throw()
{
	double begin = time_of(CLOCK_THREAD_CPUTIME_ID), now;
	int throws = 0;

	do {
		try {
			throw_through(depth);
		} catch (int x) {
			sink = x;
		}
		throws++;
		now = time_of(CLOCK_THREAD_CPUTIME_ID);
	} while (now < begin + 10000);
	return (now - begin) / throws;
}

} // namespace

int main(int argc, char **argv)
{
	double times[ROUNDS], walls[ROUNDS];
	rip_function function = nullptr;
	int soft = 0;
	long lost = 0;

	if (argc < 3)
		return 2;
	for (const auto &kind : kinds)
		if (strcmp(kind.name, argv[1]) == 0)
			function = kind.run, works = kind.works;
	depth = atoi(argv[2]);
	pthread_getcpuclockid(pthread_self(), &its_clock);
	double one = one_throw();
	for (int i = 0; i < ROUNDS; i++) {
		released = 0;
		soft += run_killed(function);
		lost += acquired - released;
		times[i] = stopped - asked;
		walls[i] = stopped_wall - asked_wall;
	}
	std::sort(times, times + ROUNDS);
	std::sort(walls, walls + ROUNDS);
	printf("%s %d %.0f %.0f %d %ld %.0f\n", argv[1], depth, times[ROUNDS / 2], one, soft, lost, walls[ROUNDS / 2]);
}
