/* SPDX-License-Identifier: MIT
 * Stops and C++ handlers: catch (...) runs and cannot swallow a stop, typed handlers do not run, and the runtime's memory
 * of exceptions is afterwards as before. Each way of stopping at each shape of code. */
#include <cxxabi.h>
#include <exception>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <streambuf>
#include <string>
#include <thread>

#include "ripcord/ripcord.h"
#include "tap.h"

static int alive, objects;
static std::string *trace_text;
static int *volatile null_pointer;
static volatile int sink;

#define NOINLINE __attribute__((noinline))

/* Room is made before: a stop may be anywhere. */
static void trace(char c) { if (trace_text->size() < 200) trace_text->push_back(c); }

struct Held {
	char name;
	explicit Held(char c) : name(c) { alive++; }
	~Held() { alive--; trace(name); }
};
struct Thrown : std::runtime_error {
	Thrown() : std::runtime_error("thrown") { objects++; }
	Thrown(const Thrown &other) : std::runtime_error(other) { objects++; }
	~Thrown() override { objects--; }
};

static NOINLINE void fault() { *null_pointer = 1; }
static NOINLINE void leave() { rip_exit(8); }
static NOINLINE void overflow_at(int depth)
{
	volatile char frame[3000];
	frame[0] = (char)depth;
	if (depth < 1 << 24)
		overflow_at(depth + 1);
	frame[1] = frame[0];
}
static NOINLINE void overflow() { overflow_at(0); }
static NOINLINE void throws() { throw Thrown(); }
/* Not called directly: clang finds out that it does not throw. */
static void (*volatile fault_here)() = fault;
static void (*volatile stop)();

/* --- Shapes: lower case letters are destructors, capital ones handlers, digits must never be seen --- */

static NOINLINE void throws_on()
{
	Held a('a');
	try { Held b('b'); stop(); } catch (...) { trace('C'); throw; }
	trace('1');
}
static NOINLINE void swallows()
{
	Held a('a');
	try { Held b('b'); stop(); } catch (...) { trace('C'); Held d('d'); }
	trace('1');
}
static NOINLINE void swallows_deep()
{
	Held e('e');
	try { swallows(); trace('2'); throws_on(); } catch (...) { trace('F'); }
	trace('3');
}
static NOINLINE void returns()
{
	Held a('a');
	try { Held b('b'); stop(); } catch (...) { trace('C'); return; }
	trace('1');
}
static NOINLINE void calls_returns() { Held x('x'); returns(); trace('2'); }
static NOINLINE void loops()
{
	Held a('a');
	for (int i = 0; i < 3; i++) {
		Held b('b');
		try { Held c('c'); stop(); } catch (...) { trace('D'); continue; }
		trace('1');
	}
	trace('2');
}
static NOINLINE void throws_other()
{
	Held a('a');
	try { Held b('b'); stop(); } catch (...) { trace('C'); Held d('d'); throw Thrown(); }
}
static NOINLINE void other_is_caught()
{
	Held e('e');
	try { throws_other(); } catch (const Thrown &) { trace('1'); }
	trace('2');
}
static NOINLINE void other_is_caught_by_all()
{
	Held e('e');
	try { throws_other(); } catch (...) { trace('F'); }
	trace('2');
}
static NOINLINE void typed()
{
	Held a('a');
	try {
		try { Held b('b'); stop(); } catch (int) { trace('1'); } catch (const std::exception &) { trace('2'); }
		trace('3');
	} catch (const Thrown &) {
		trace('4');
	} catch (...) {
		trace('C');
		throw;
	}
}
/* libc++ does not have the type. */
#ifdef __GLIBCXX__
static NOINLINE void forced()
{
	Held a('a');
	try { Held b('b'); stop(); } catch (abi::__forced_unwind &) { trace('C'); throw; } catch (...) { trace('1'); }
	trace('2');
}
static NOINLINE void forced_after_typed()
{
	Held a('a');
	try { Held b('b'); stop(); } catch (int) { trace('1'); } catch (abi::__forced_unwind &) { trace('C'); throw; }
	trace('2');
}
#endif
struct Member {
	Held a;
	Member() try : a('a') { Held b('b'); stop(); } catch (...) { trace('C'); }
};
static NOINLINE void function_try() { Held d('d'); Member member; trace(member.a.name); }

/* A handler of another exception is running below. */
static NOINLINE void in_handler()
{
	Held a('a');
	try { throws(); } catch (const Thrown &) { Held b('b'); swallows_deep(); trace('4'); }
	trace('5');
}
static NOINLINE void in_handler_throws_on()
{
	Held e('e');
	try { throws(); } catch (const Thrown &) { Held f('f'); throws_on(); trace('4'); }
	trace('5');
}
/* Both handlers in one function: one landing pad leaves both. */
static NOINLINE void in_handler_here()
{
	Held a('a');
	try {
		throws();
	} catch (const Thrown &) {
		Held b('b');
		try { Held c('c'); stop(); } catch (...) { trace('D'); throw; }
		trace('1');
	}
}
static NOINLINE void in_handlers_here()
{
	Held a('a');
	try {
		throws();
	} catch (const Thrown &) {
		try { throws(); } catch (...) {
			try { Held c('c'); stop(); } catch (...) { trace('D'); throw; }
			trace('1');
		}
	}
}
/* The handler is stopped itself. */
static NOINLINE void handler_stops()
{
	Held a('a');
	try { Held b('b'); stop(); } catch (...) { trace('C'); Held d('d'); fault_here(); trace('1'); }
	trace('2');
}
static NOINLINE void handler_stops_in_handler()
{
	Held e('e');
	try { stop(); } catch (...) {
		trace('F');
		try { Held g('g'); fault_here(); } catch (...) { trace('H'); try { fault_here(); } catch (...) { trace('I'); throw; } }
		trace('1');
	}
	trace('2');
}
/* What a handler may do with what it has caught. */
static NOINLINE void asks()
{
	Held a('a');
	try { stop(); } catch (...) {
		std::exception_ptr current = std::current_exception();
		trace(current ? '1' : 'C');
		trace(std::uncaught_exceptions() ? '2' : 'U');
		try { throws(); } catch (const Thrown &) { trace('D'); }
		try { throw; } catch (const std::exception &) { trace('3'); }
	}
	trace('4');
}
/* What a handler throws is not for another one of this function; nobody is passed by. */
static NOINLINE void throws_another()
{
	Held a('a');
	try {
		Held b('b');
		try { Held c('c'); stop(); } catch (...) { Held d('d'); trace('E'); throw 5; }
	} catch (char) { trace('1'); } catch (int) { trace('2'); }
	trace('3');
}
static NOINLINE void throws_another_to_all()
{
	Held a('a');
	try {
		Held b('b');
		try { Held c('c'); stop(); } catch (...) { Held d('d'); throws(); }
	} catch (const Thrown &) { trace('1'); } catch (...) { Held e('e'); trace('F'); }
	trace('3');
}
struct Chain {
	static NOINLINE void go(int depth)
	{
		Held a('a');
		if (depth == 0) { stop(); return; }
		try { go(depth - 1); } catch (...) { if (depth & 1) throw; }
		trace('1');
	}
};
static NOINLINE void chain() { Chain::go(40); }
/* catch (...) in the handler of catch (...), one stop below the other. */
static NOINLINE void pile(int depth)
{
	Held a('a');
	try { if (depth) fault_here(); else stop(); } catch (...) { if (depth < 6) pile(depth + 1); }
	trace('1');
}
static NOINLINE void piled() { pile(0); }
/* In the middle of an exception of the guest's own: a destructor between its throw and its handler. */
struct Stops {
	~Stops() noexcept(false) { Held b('b'); stop(); }
};
static NOINLINE void in_flight()
{
	Held a('a');
	try { Stops stops; throws(); } catch (const Thrown &) { trace('1'); }
	trace('2');
}
static NOINLINE void in_flight_twice()
{
	Held a('a');
	try {
		struct Throws { ~Throws() { try { in_flight(); } catch (const std::logic_error &) { trace('3'); } } } x;
		throw Thrown();
	} catch (const Thrown &) { trace('4'); }
}
struct Noexcept {
	~Noexcept() { Held b('b'); stop(); }
};
static NOINLINE void in_flight_noexcept()
{
	Held a('a');
	try { Noexcept last; throws(); } catch (const Thrown &) { trace('1'); }
	trace('2');
}
/* Scope guards compare how many exceptions are in flight: a stop is one, and so is each that stops its cleanups. */
struct Guard {
	int before = std::uncaught_exceptions();
	~Guard() { trace(std::uncaught_exceptions() > before ? 'G' : '5'); }
};
struct StopsInFlight {
	NOINLINE ~StopsInFlight() noexcept(false)
	{
		Guard guard;
		if (std::uncaught_exceptions() > 0)
			fault_here();
	}
};
static NOINLINE void guards()
{
	Held a('a');
	try { Guard b; stop(); } catch (...) { Guard c; stop(); }
	trace('1');
}
static NOINLINE void guards_in_stopped_cleanups()
{
	struct Calls { NOINLINE ~Calls() noexcept(false) { StopsInFlight stops; fault_here(); } } calls;
	Guard a;
	stop();
}
/* noexcept is passed, and nobody calls std::terminate. */
static NOINLINE void is_noexcept() noexcept
{
	stop();
	sink = 1;
}
static NOINLINE void calls_noexcept()
{
	Held a('a');
	is_noexcept();
	trace('1');
}
static NOINLINE void noexcept_with_locals() noexcept
{
	Held hidden(0);
	stop();
	sink = 1;
}
static NOINLINE void calls_noexcept_with_locals()
{
	Held a('a');
	noexcept_with_locals();
	trace('1');
}
static NOINLINE void noexcept_in_handlers() noexcept
{
	try {
		Held hidden(0);
		throws();
	} catch (const Thrown &) {
		stop();
	}
}
static NOINLINE void noexcept_before_handlers() noexcept
{
	try {
		Held hidden(0);
		stop();
	} catch (const Thrown &) { trace('1'); }
}
static NOINLINE void calls_noexcept_handlers()
{
	Held a('a');
	noexcept_in_handlers();
	trace('1');
}
static NOINLINE void calls_noexcept_before_handlers()
{
	Held a('a');
	noexcept_before_handlers();
	trace('1');
}
/* libstdc++'s streams have both handlers. */
struct Stopping : std::streambuf {
	int overflow(int) override { Held b('b'); stop(); return 0; }
};
static NOINLINE void streams()
{
	Held a('a');
	Stopping buffer;
	std::ostream stream(&buffer);
	stream << 12345;
	stream << std::string("text");
	trace('1');
}
/* A destructor with a std::terminate of its own, where it is not meant to come. */
static NOINLINE void destroys_thread()
{
	Held a('a');
	std::thread none;
	Held b('b');
	stop();
	if (none.joinable())
		none.join();
}

struct Shape { const char *name; void (*function)(); const char *expected; int failed; bool lost; };
static const Shape shapes[] = {
	{ "catch (...) throws on", throws_on, "bCaz", 0, false },
	{ "catch (...) swallows", swallows, "bCdaz", 0, false },
	{ "catch (...) swallows, and another", swallows_deep, "bCdaFez", 0, false },
	{ "catch (...) returns", calls_returns, "bCaxz", 0, false },
	{ "catch (...) continues a loop", loops, "cDbaz", 0, false },
	{ "catch (...) throws another, that is caught", other_is_caught, "bCdaez", 0, false },
	{ "catch (...) throws another, that is caught by all", other_is_caught_by_all, "bCdaFez", 0, false },
	{ "catch (...) throws another", throws_other, "bCdaz", 0, false },
	{ "typed handlers", typed, "bCaz", 0, false },
#ifdef __GLIBCXX__
	{ "catch (abi::__forced_unwind &)", forced, "bCaz", 0, false },
	{ "catch (abi::__forced_unwind &) after a type", forced_after_typed, "bCaz", 0, false },
#endif
	{ "a function's try block", function_try, "baCdz", 0, false },
	{ "in a handler", in_handler, "bCdaFebaz", 0, false },
	{ "in a handler, thrown on", in_handler_throws_on, "bCafez", 0, false },
	{ "in a handler of the same function", in_handler_here, "cDbaz", 0, false },
	{ "in two handlers of the same function", in_handlers_here, "cDaz", 0, false },
	{ "the handler is stopped", handler_stops, "bCdaz", 1, false },
	{ "handlers of handlers are stopped", handler_stops_in_handler, "FgHIez", 2, false },
	{ "another exception, which the same function takes", throws_another, "cEdbaz", 0, false },
	{ "another exception, and a handler for all", throws_another_to_all, "cdbFeaz", 0, false },
	{ "a handler asks what it has caught", asks, "CUDaz", 0, false },
	{ "40 handlers", chain, nullptr, 0, false },
	{ "handlers of stopped handlers", piled, nullptr, 6, false },
	/* A destructor in the way of an exception may not throw: nothing follows it in its frame. */
	{ "an exception is in flight", in_flight, nullptr, 0, true },
	{ "two exceptions are in flight", in_flight_twice, nullptr, 0, true },
	{ "an exception is in flight, in a noexcept destructor", in_flight_noexcept, "z", 0, true },
	{ "scope guards", guards, "GGaz", 1, false },
	{ "scope guards in cleanups that are stopped", guards_in_stopped_cleanups, "GGz", 2, true },
	{ "noexcept", calls_noexcept, nullptr, 0, true },
	{ "noexcept with locals", calls_noexcept_with_locals, nullptr, 0, true },
	{ "noexcept, in a handler", calls_noexcept_handlers, nullptr, 0, true },
	{ "noexcept, before a handler", calls_noexcept_before_handlers, nullptr, 0, true },
	{ "a std::thread", destroys_thread, "baz", 0, false },
	{ "streams", streams, "baz", 0, false },
};

static intptr_t guest_body(void *shape)
{
	Held last('z');
	((const Shape *)shape)->function();
	trace('9');
	return 0;
}

static int terminated;

static void check(const Shape &shape, const char *how, rip_cause cause)
{
	rip_guest *guest;
	rip_outcome outcome = {};
	std::string text;

	text.reserve(400);
	trace_text = &text;
	alive = objects = terminated = 0;
	rip_create(nullptr, &guest);
	rip_run(guest, guest_body, (void *)&shape, &outcome);
	const rip_report *report = rip_get_report(guest);
	tap_ok(outcome.cause == cause, "%s, %s: %s", shape.name, how, rip_cause_name(outcome.cause));
	if (shape.expected)
		tap_ok(text == shape.expected, "in order: %s (%s)", text.c_str(), shape.expected);
	else
		tap_ok(text.find_first_of("123456789") == text.npos && text.back() == 'z', "%s", text.c_str());
	if (!shape.lost)
		tap_equal(alive, 0, "each destructor ran");
	tap_equal(report->cleanups_failed, shape.failed, "pads that were stopped");
	tap_ok(!report->abandoned, "nothing is abandoned");
	rip_destroy(guest);
	tap_ok(objects == 0, "%d exceptions of the guest's are left", objects);
	tap_ok(!std::current_exception() && std::uncaught_exceptions() == 0, "the runtime has forgotten all");
	tap_equal(terminated, 0, "std::terminate was not called");
}

/* What the host has caught and thrown is out of a guest's sight. */
static void in_host_handler()
{
	try {
		throws();
	} catch (const Thrown &thrown) {
		int before = objects;
		rip_guest *guest;
		rip_outcome outcome = {};
		std::string text;
		text.reserve(400);
		trace_text = &text;
		rip_create(nullptr, &guest);
		rip_run(guest, guest_body, (void *)&shapes[2], &outcome);
		rip_destroy(guest);
		tap_ok(text == shapes[2].expected, "in a handler of the host's: %s", text.c_str());
		tap_equal(objects, before, "it has its exception");
		try { throw; } catch (const Thrown &again) { tap_ok(&again == &thrown, "and can throw it on"); }
	}
}

int main()
{
	static const struct { const char *name; void (*function)(); rip_cause cause; } stops[] = {
		{ "fault", fault, RIP_CAUSE_FAULT }, { "rip_exit", leave, RIP_CAUSE_EXITED },
		{ "overflow", overflow, RIP_CAUSE_OVERFLOW },
	};
	std::set_terminate([] { terminated++; std::abort(); });
	for (auto &each : stops) {
		stop = each.function;
		for (const Shape &shape : shapes)
			check(shape, each.name, each.cause);
	}
	in_host_handler();
	tap_done();
}
