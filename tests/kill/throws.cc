// SPDX-License-Identifier: MIT
// Return hooks and exceptions, whatever unwinder is in use (walkers.sh runs it with each): guests that throw all
// the time are killed softly and soon; a hook is set before the search, between the phases, in a rethrow, in a
// forced unwind and in a backtrace, and none of them notices; one that an exception has left counts as not set.
// Built with the plugin.
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unwind.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "ripcord/kill.h"
#include "ripcord/poll.h"
#include "tap.h"

extern "C" const char rip_arch_hooks[], rip_arch_hooks_end[];

#define NOINLINE __attribute__((noinline, noclone))

namespace {

volatile unsigned long spins;
volatile int reached;
volatile long held, released, caught;
volatile bool always = true;

void come_to(int place) { __atomic_store_n(&reached, place, __ATOMIC_SEQ_CST); }

struct resource {
	resource() { held = held + 1; }
	~resource() { released = released + 1; }
};

bool is_hook(const void *address)
{
	return static_cast<const char *>(address) >= rip_arch_hooks &&
	       static_cast<const char *>(address) < rip_arch_hooks_end;
}

double cpu_time()
{
	timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return double(t.tv_sec) * 1e3 + double(t.tv_nsec) * 1e-6;
}

// --- All the time ---

intptr_t throws_numbers(void *)
{
	for (int i = 0;; i++) {
		resource r;
		try {
			if (i >= 0)
				throw i;
		} catch (int x) {
			caught = x;
		}
	}
}

struct throws_inside {
	throws_inside() { held = held + 1; }
	~throws_inside()
	{
		try {
			if (always)
				throw 1;
		} catch (int x) {
			caught = x;
		}
		released = released + 1;
	}
};

intptr_t throws_in_destructors(void *)
{
	for (;;)
		throws_inside t;
}

NOINLINE void deep(int levels)
{
	resource r;
	if (levels == 0)
		throw std::runtime_error("deep");
	deep(levels - 1);
}

intptr_t throws_through_frames(void *)
{
	for (;;)
		try {
			deep(5);
		} catch (const std::exception &) {
			caught = caught + 1;
		}
}

intptr_t throws_again(void *)
{
	for (;;) {
		resource r;
		try {
			try {
				throw 5;
			} catch (...) {
				resource inner;
				throw;
			}
		} catch (int x) {
			caught = x;
		}
	}
}

std::vector<int> few(3);

intptr_t throws_in_the_library(void *)
{
	for (;;) {
		resource r;
		try {
			spins = spins + static_cast<unsigned long>(few.at(spins % 3 + 5));
		} catch (const std::out_of_range &) {
			caught = caught + 1;
		}
	}
}

// Each is killed softly by its deadline, and each of its resources is released.
void always_throws(const char *name, rip_function function)
{
	enum { ROUNDS = 25 };
	double times[ROUNDS];
	int soft = 0;
	long lost = 0;

	for (int i = 0; i < ROUNDS; i++) {
		rip_options options = {};
		rip_outcome outcome = {};
		rip_guest *guest;
		options.deadline = 100000 + static_cast<uint64_t>(i) * 1000;
		options.grace = RIP_NEVER;
		held = released = 0;
		if (rip_create(&options, &guest) != RIP_OK)
			tap_ok(0, "%s runs", name);
		double begin = cpu_time();
		if (rip_run(guest, function, nullptr, &outcome) != RIP_OK)
			tap_ok(0, "%s runs", name);
		times[i] = cpu_time() - begin;
		soft += outcome.cause == RIP_CAUSE_DEADLINE && rip_get_report(guest)->rung == RIP_SOFT;
		lost += held - released;
		rip_destroy(guest);
	}
	std::sort(times, times + ROUNDS);
	tap_ok(soft == ROUNDS && lost == 0, "%s: %d of %d softly, %ld releases lost", name, soft, ROUNDS, lost);
	printf("# %.2f ms of processor time in the median, %.2f at most\n", times[ROUNDS / 2], times[ROUNDS - 1]);
	tap_ok(times[ROUNDS / 2] < 10, "%s: soon", name);
}

// --- Hooks at certain moments ---

// In foreign code: until the return address of the frame at `frame` is a hook.
RIP_NO_POLL inline __attribute__((always_inline)) void until_hooked(void *frame)
{
	void *volatile *slot = static_cast<void *volatile *>(frame) + 1;

	come_to(1);
	while (!is_hook(*slot))
		spins = spins + 1;
}

// Its destructor is run between the phases of an exception that its owner, a foreign frame, throws.
struct waits_for_hook {
	void *frame;
	RIP_NO_POLL NOINLINE ~waits_for_hook()
	{
		until_hooked(frame);
		released = released + 1;
	}
};

NOINLINE RIP_NO_POLL void throws_and_waits()
{
	waits_for_hook w{ __builtin_frame_address(0) };
	held = held + 1;
	if (always)
		throw 7;
}

NOINLINE RIP_NO_POLL void waits_and_throws()
{
	until_hooked(__builtin_frame_address(0));
	if (always)
		throw 7;
}

NOINLINE RIP_NO_POLL void waits_and_rethrows()
{
	try {
		if (always)
			throw 7;
	} catch (...) {
		until_hooked(__builtin_frame_address(0));
		throw;
	}
}

// Further in, another exception is thrown and caught meanwhile.
struct throws_over {
	void *frame;
	RIP_NO_POLL NOINLINE ~throws_over()
	{
		until_hooked(frame);
		try {
			if (always)
				throw 8;
		} catch (int x) {
			spins = spins + static_cast<unsigned long>(x);
		}
	}
};

NOINLINE RIP_NO_POLL void throws_twice()
{
	throws_over t{ __builtin_frame_address(0) };
	if (always)
		throw 7;
}

// A forced unwind of the guest's own.
jmp_buf back;
_Unwind_Exception forced;
uintptr_t forced_to; /* the start of the function where it ends */

_Unwind_Reason_Code until_there(int, _Unwind_Action, _Unwind_Exception_Class, _Unwind_Exception *,
				_Unwind_Context *context, void *)
{
	if (_Unwind_GetRegionStart(context) == forced_to)
		__builtin_longjmp(back, 1);
	return _URC_NO_REASON;
}

NOINLINE RIP_NO_POLL void forces()
{
	waits_for_hook w{ __builtin_frame_address(0) };
	held = held + 1;
	_Unwind_ForcedUnwind(&forced, until_there, nullptr);
}

NOINLINE intptr_t calls_forces(void *)
{
	resource r;
	forced_to = reinterpret_cast<uintptr_t>(calls_forces);
	if (!__builtin_setjmp(back))
		forces();
	else
		caught = 7;
	for (;;)
		spins = spins + 1;
	return 0;
}

// The slot of a hook that an exception has left is used again, by a call in which all time is spent.
NOINLINE RIP_NO_POLL void foreign()
{
	for (int i = 0; i < 20000; i++)
		spins = spins + 1;
}

intptr_t calls_foreign(void *)
{
	resource r;
	try {
		waits_and_throws();
	} catch (int x) {
		caught = x;
	}
	for (;;)
		foreign();
	return 0;
}

template <void (*function)()> intptr_t calls(void *)
{
	resource r;
	try {
		function();
	} catch (int x) {
		caught = x;
	}
	for (;;)
		spins = spins + 1;
	return 0;
}

template <void (*function)()> NOINLINE void passes()
{
	resource r;
	function();
}

// --- Backtraces ---

// A nudge comes while the walk is under way: the walk meets no hook.
struct walk {
	long frames, hooks;
};

RIP_NO_POLL _Unwind_Reason_Code slowly(_Unwind_Context *context, void *argument)
{
	walk *to = static_cast<walk *>(argument);

	come_to(1);
	double until = cpu_time() + 2;
	while (cpu_time() < until)
		spins = spins + 1;
	to->frames++;
	to->hooks += is_hook(reinterpret_cast<void *>(_Unwind_GetIP(context)));
	return _URC_NO_REASON;
}

walk walked;

intptr_t walks(void *)
{
	resource r;
	_Unwind_Backtrace(slowly, &walked);
	caught = 7;
	for (;;)
		spins = spins + 1;
	return 0;
}

// --- Killed ---

rip_handle handle;

void *kill_it(void *)
{
	while (__atomic_load_n(&reached, __ATOMIC_SEQ_CST) != 1)
		sched_yield();
	rip_kill(handle, RIP_SOFT);
	return nullptr;
}

void run(const char *name, rip_function function)
{
	rip_options options = {};
	rip_outcome outcome = {};
	rip_guest *guest;
	pthread_t thread;

	options.grace = RIP_NEVER;
	held = released = caught = 0;
	come_to(0);
	if (rip_create(&options, &guest) != RIP_OK || rip_get_handle(guest, &handle) != RIP_OK ||
	    pthread_create(&thread, nullptr, kill_it, nullptr) != 0 ||
	    rip_run(guest, function, nullptr, &outcome) != RIP_OK)
		tap_ok(0, "%s runs", name);
	pthread_join(thread, nullptr);
	const rip_report *report = rip_get_report(guest);
	tap_ok(outcome.cause == RIP_CAUSE_KILLED && report->rung == RIP_SOFT && !report->abandoned &&
	       report->cleanups_failed == 0 && held == released && caught == 7,
	       "%s: %s, held %ld, released %ld, caught %ld", name, rip_cause_name(outcome.cause), held, released,
	       caught);
	rip_destroy(guest);
}

} // namespace

int main()
{
	run("hooked before the search", calls<waits_and_throws>);
	run("hooked before the search, caught further out", calls<passes<waits_and_throws>>);
	run("hooked between the phases", calls<throws_and_waits>);
	run("hooked between the phases, caught further out", calls<passes<throws_and_waits>>);
	run("hooked before a rethrow", calls<waits_and_rethrows>);
	run("hooked while another exception is thrown in a cleanup", calls<throws_twice>);
	run("hooked in a forced unwind", calls_forces);
	run("hooked and left by an exception, and the slot is another's", calls_foreign);
	run("asked for in a backtrace", walks);
	tap_ok(walked.hooks == 0 && walked.frames > 2, "which meets %ld frames, and %ld hooks", walked.frames,
	       walked.hooks);
	always_throws("it throws and catches", throws_numbers);
	always_throws("destructors throw and catch", throws_in_destructors);
	always_throws("it throws through frames", throws_through_frames);
	always_throws("it throws again", throws_again);
	always_throws("the library throws", throws_in_the_library);
	tap_done();
}
