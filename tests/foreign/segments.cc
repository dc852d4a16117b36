/* SPDX-License-Identifier: MIT
 * Exceptions and segments: thrown in what rip_call runs, in a hostcall with a stack of its own, beside others that are
 * caught while a guest yields, and the masks that a caught stop leaves. */
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>

#include "ripcord/ripcord.h"
#include "tap.h"

#define NOINLINE __attribute__((noinline))

static int alive, objects;
static int *volatile null_pointer;

struct Held {
	Held() { __atomic_fetch_add(&alive, 1, __ATOMIC_RELAXED); }
	~Held() { __atomic_fetch_sub(&alive, 1, __ATOMIC_RELAXED); }
};
struct Thrown : std::runtime_error {
	explicit Thrown(const std::string &text) : std::runtime_error(text) { __atomic_fetch_add(&objects, 1, __ATOMIC_RELAXED); }
	Thrown(const Thrown &other) : std::runtime_error(other) { __atomic_fetch_add(&objects, 1, __ATOMIC_RELAXED); }
	~Thrown() override { __atomic_fetch_sub(&objects, 1, __ATOMIC_RELAXED); }
};

static NOINLINE intptr_t throws(void *text)
{
	Held held;
	throw Thrown((const char *)text);
}

static rip_outcome run(rip_guest *guest, rip_function function, void *argument)
{
	rip_outcome outcome = {};

	if (rip_run(guest, function, argument, &outcome) != RIP_OK)
		outcome.cause = RIP_CAUSE_NONE;
	return outcome;
}

static rip_guest *make(const rip_options *options)
{
	rip_guest *guest = nullptr;

	rip_create(options, &guest);
	return guest;
}

/* --- rip_call ---------------------------------------------------------------------------------- */

static rip_cause caught_cause;
static std::string caught_text, rethrown_text;
static int alive_after_call;

static intptr_t catches_segment(void *)
{
	Held held;
	rip_outcome outcome = {};

	rip_call(throws, (void *)"in a segment", &outcome);
	caught_cause = outcome.cause;
	alive_after_call = alive;
	caught_text = rip_get_report(rip_self())->exception.text;
	return 5;
}

static intptr_t rethrows_segment(void *)
{
	Held held;
	rip_outcome outcome = {};

	rip_call(throws, (void *)"thrown on", &outcome);
	try {
		rip_rethrow(rip_self());
	} catch (const Thrown &thrown) {
		rethrown_text = thrown.what();
		return 6;
	}
	return 7;
}

static intptr_t through_hostcall(void *function)
{
	return rip_hostcall((rip_function)function, nullptr);
}

static void segments()
{
	rip_guest *guest = make(nullptr);
	rip_outcome outcome = run(guest, through_hostcall, (void *)catches_segment);

	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && outcome.value == 5, "the hostcall goes on");
	tap_equal(caught_cause, RIP_CAUSE_EXCEPTION, "rip_call tells of an exception");
	tap_ok(caught_text == "in a segment", "with its text: %s", caught_text.c_str());
	tap_equal(alive_after_call, 1, "the segment's destructors have run, its caller's have not");
	rip_reset(guest);
	tap_equal(objects, 0, "an exception that nobody wanted is deleted with the guest");
	outcome = run(guest, through_hostcall, (void *)rethrows_segment);
	tap_ok(outcome.value == 6 && rethrown_text == "thrown on", "rip_rethrow throws it in the hostcall: %s",
	       rethrown_text.c_str());
	rip_destroy(guest);
	tap_ok(alive == 0 && objects == 0, "nothing is left (%d, %d)", alive, objects);
}

/* --- A stack of its own ------------------------------------------------------------------------ */

static intptr_t hostcall_throws(void *)
{
	Held held;
	return rip_hostcall(throws, (void *)"from its own stack");
}

static intptr_t hostcall_is_caught(void *)
{
	Held held;
	try {
		return hostcall_throws(nullptr);
	} catch (const Thrown &thrown) {
		return thrown.what() == std::string("from its own stack") ? 8 : 9;
	}
}

static void own_stacks()
{
	rip_options options = {};

	options.hostcall_stack = 64 * 1024;
	rip_guest *guest = make(&options);
	tap_equal(run(guest, hostcall_is_caught, nullptr).value, 8, "the guest catches what a hostcall throws");
	tap_ok(alive == 0 && objects == 0, "nothing is left (%d, %d)", alive, objects);
	rip_reset(guest);
	tap_equal(run(guest, hostcall_throws, nullptr).cause, RIP_CAUSE_EXCEPTION, "or it is stopped by it");
	tap_ok(rip_get_report(guest)->exception.text == std::string("from its own stack"), "with its text");
	bool thrown_on = false;
	try {
		rip_rethrow(guest);
	} catch (const Thrown &) {
		thrown_on = true;
	}
	tap_ok(thrown_on, "and the host can have it");
	rip_destroy(guest);
	tap_ok(alive == 0 && objects == 0, "nothing is left (%d, %d)", alive, objects);
}

/* --- What is caught while a guest yields ------------------------------------------------------- */

enum { GUESTS = 5, DEPTH = 4 };

static NOINLINE bool nested(int number, int depth)
{
	Held held;
	std::string text = std::to_string(number) + "/" + std::to_string(depth);
	bool good = true;

	if (depth == DEPTH)
		return true;
	try {
		throw Thrown(text);
	} catch (const Thrown &) {
		rip_yield(nullptr, depth, nullptr, nullptr);
		good = nested(number, depth + 1);
		rip_yield(nullptr, depth, nullptr, nullptr);
		try { throw; } catch (const Thrown &again) { good = good && again.what() == text; }
	}
	return good && std::uncaught_exceptions() == 0;
}

static intptr_t yields_in_handlers(void *number)
{
	return nested((int)(intptr_t)number, 0) && !std::current_exception() ? 100 : 0;
}

static void resume_all(rip_guest *const *guests, int *good, bool elsewhere)
{
	bool going = true;

	while (going) {
		going = false;
		for (int i = 0; i < GUESTS; i++) {
			rip_outcome outcome = {};
			if (rip_get_state(guests[i]) != RIP_STATE_YIELDED)
				continue;
			if (elsewhere)
				std::thread([&] { rip_resume(guests[i], nullptr, 0, &outcome); }).join();
			else
				rip_resume(guests[i], nullptr, 0, &outcome);
			going = true;
			*good += outcome.cause == RIP_CAUSE_RETURNED && outcome.value == 100;
		}
	}
}

static void interleaved(bool elsewhere, const char *name)
{
	rip_guest *guests[GUESTS];
	int good = 0;
	bool host_has_its = false;

	try {
		throw Thrown("the host's");
	} catch (const Thrown &) {
		for (int i = 0; i < GUESTS; i++)
			run(guests[i] = make(nullptr), yields_in_handlers, (void *)(intptr_t)i);
		resume_all(guests, &good, elsewhere);
		try { throw; } catch (const Thrown &again) { host_has_its = again.what() == std::string("the host's"); }
	}
	tap_equal(good, GUESTS, name);
	tap_ok(host_has_its && !std::current_exception(), "and the host what it has caught");
	for (rip_guest *guest : guests)
		rip_destroy(guest);
	tap_ok(alive == 0 && objects == 0, "nothing is left (%d, %d)", alive, objects);
}

/* Destroyed in the middle of their handlers, in another order. */
static void destroyed()
{
	rip_guest *guests[GUESTS];

	for (int i = 0; i < GUESTS; i++) {
		rip_outcome outcome;
		run(guests[i] = make(nullptr), yields_in_handlers, (void *)(intptr_t)i);
		for (int turn = 0; turn < i; turn++)
			rip_resume(guests[i], nullptr, 0, &outcome);
	}
	for (int i : { 2, 0, 4, 1, 3 })
		rip_destroy(guests[i]);
	tap_ok(alive == 0 && objects == 0, "guests destroyed in their handlers leave nothing (%d, %d)", alive, objects);
	tap_ok(!std::current_exception() && std::uncaught_exceptions() == 0, "and the runtime knows of nothing");
}

/* --- Masks ------------------------------------------------------------------------------------- */

static int unmasked;

static intptr_t masks_and_faults(void *)
{
	rip_mask();
	rip_mask();
	*null_pointer = 1;
	return 0;
}

/* rip_unmask says STATE where nothing is masked: so it tells how many there are. */
static intptr_t counts_masks(void *)
{
	rip_outcome outcome = {};

	rip_mask();
	rip_call(masks_and_faults, nullptr, &outcome);
	while (unmasked < 9 && rip_unmask() == RIP_OK)
		unmasked++;
	return outcome.cause;
}

static void masks()
{
	rip_guest *guest = make(nullptr);

	tap_equal(run(guest, counts_masks, nullptr).value, RIP_CAUSE_FAULT, "a segment that holds masks faults");
	tap_equal(unmasked, 1, "the masks are as before rip_call");
	rip_destroy(guest);
}

int main()
{
	segments();
	own_stacks();
	interleaved(false, "each guest has what it has caught, on one thread");
	interleaved(true, "and on many");
	destroyed();
	masks();
	tap_done();
}
