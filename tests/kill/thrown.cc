// SPDX-License-Identifier: MIT
// Kills in C++: exceptions pass a function whose return is hooked, caught at once, further out or nowhere; a noexcept
// function, and a destructor, run to their end, and what they called too. Built with the plugin.
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <unwind.h>

#include "ripcord/kill.h"
#include "ripcord/poll.h"
#include "tap.h"

extern "C" const char rip_arch_hooks[], rip_arch_hooks_end[];

#define NOINLINE __attribute__((noinline, noclone))

namespace {

volatile unsigned long spins;
volatile int reached, held, released, caught, finished;
volatile bool always = true;

void come_to(int place) { __atomic_store_n(&reached, place, __ATOMIC_SEQ_CST); }

struct resource {
	resource() { held = held + 1; }
	~resource() { held = held - 1, released = released + 1; }
};

bool is_hook(void *address)
{
	return static_cast<const char *>(address) >= rip_arch_hooks && static_cast<const char *>(address) < rip_arch_hooks_end;
}

// The calling function's return is hooked when this is over.
#define UNTIL_HOOKED() \
	do { \
		void *volatile *slot_ = static_cast<void *volatile *>(__builtin_frame_address(0)) + 1; \
		come_to(1); \
		while (!is_hook(*slot_)) \
			spins = spins + 1; \
	} while (0)

// Foreign: no part of killable code. It throws through its hook.
NOINLINE RIP_NO_POLL void throws()
{
	UNTIL_HOOKED();
	if (always)
		throw 5;
}

NOINLINE void calls_throws()
{
	resource r;
	throws();
}

void spin()
{
	for (;;)
		spins = spins + 1;
}

intptr_t caught_at_once(void *)
{
	resource r;
	try {
		throws();
	} catch (int number) {
		caught = number;
	}
	spin();
	return 0;
}

intptr_t caught_further_out(void *)
{
	resource r;
	try {
		calls_throws();
	} catch (int number) {
		caught = number;
	}
	spin();
	return 0;
}

intptr_t caught_nowhere(void *)
{
	resource r;
	calls_throws();
	return 0;
}

// It has been asked for the guest's end, and the nudge has come: at the latest with the return from the system.
#define UNTIL_ASKED() \
	do { \
		come_to(1); \
		while (__atomic_load_n(&reached, __ATOMIC_SEQ_CST) != 2) \
			spins = spins + 1; \
		sched_yield(); \
	} while (0)

NOINLINE void is_noexcept() noexcept
{
	resource r;
	UNTIL_ASKED();
	for (int i = 0; i < 1000; i++)
		spins = spins + 1;
	finished = finished + 1;
}

intptr_t in_noexcept(void *)
{
	resource r;
	is_noexcept();
	spin();
	return 0;
}

NOINLINE void helper() // killable, with a poll
{
	resource r;
	for (unsigned long i = 0, n = spins + 1000; i < n - spins; i++)
		spins = spins + 1;
	finished = finished + 1;
}

NOINLINE void calls_helper() noexcept
{
	resource r;
	UNTIL_ASKED();
	helper();
	finished = finished + 1;
}

intptr_t in_helper(void *)
{
	resource r;
	calls_helper();
	spin();
	return 0;
}

struct waits {
	NOINLINE ~waits()
	{
		UNTIL_ASKED();
		finished = finished + 1;
	}
};

intptr_t in_destructor(void *)
{
	resource r;
	{
		waits w;
		held = held + 0;
	}
	spin();
	return 0;
}

rip_handle handle;

void *kill_it(void *)
{
	while (__atomic_load_n(&reached, __ATOMIC_SEQ_CST) != 1)
		sched_yield();
	rip_kill(handle, RIP_SOFT);
	come_to(2);
	return nullptr;
}

void run(const char *name, rip_function function, rip_cause cause, int releases, int finishes, int catches)
{
	rip_options options = {};
	rip_outcome outcome = {};
	rip_guest *guest;
	pthread_t thread;

	options.grace = RIP_NEVER;
	held = released = caught = finished = 0;
	come_to(0);
	if (rip_create(&options, &guest) != RIP_OK || rip_get_handle(guest, &handle) != RIP_OK ||
	    pthread_create(&thread, nullptr, kill_it, nullptr) != 0 ||
	    rip_run(guest, function, nullptr, &outcome) != RIP_OK)
		tap_ok(0, "%s runs", name);
	pthread_join(thread, nullptr);
	const rip_report *report = rip_get_report(guest);
	tap_ok(outcome.cause == cause && !report->abandoned && report->cleanups_failed == 0, "%s: %s, abandoned %d", name,
	       rip_cause_name(outcome.cause), report->abandoned);
	tap_ok(held == 0 && released == releases, "%s: held %d, released %d", name, held, released);
	tap_ok(finished == finishes && caught == catches, "%s: finished %d, caught %d", name, finished, caught);
	rip_destroy(guest);
}

} // namespace

int main()
{
	run("an exception, caught by the hooked function's caller", caught_at_once, RIP_CAUSE_KILLED, 1, 0, 5);
	run("an exception, caught further out", caught_further_out, RIP_CAUSE_KILLED, 2, 0, 5);
	run("an exception, caught nowhere", caught_nowhere, RIP_CAUSE_EXCEPTION, 2, 0, 0);
	run("a noexcept function", in_noexcept, RIP_CAUSE_KILLED, 2, 1, 0);
	run("what a noexcept function calls", in_helper, RIP_CAUSE_KILLED, 3, 2, 0);
	run("a destructor", in_destructor, RIP_CAUSE_KILLED, 1, 1, 0);
	tap_done();
}
