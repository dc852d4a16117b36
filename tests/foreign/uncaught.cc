/* SPDX-License-Identifier: MIT
 * Exceptions that leave a guest: a stop where they are thrown, with type and text; thrown on into the host, or deleted. */
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>

#include "ripcord/ripcord.h"
#include "tap.h"

static int alive, exceptions, copies;
static int in_flight_seen;

struct Held {
	Held() { alive++; }
	~Held() { alive--; in_flight_seen = std::uncaught_exceptions(); }
};

struct Counted : std::runtime_error {
	explicit Counted(const char *text) : std::runtime_error(text) { exceptions++; copies++; }
	Counted(const Counted &other) : std::runtime_error(other) { exceptions++; copies++; }
	~Counted() override { exceptions--; }
};
struct Other { virtual ~Other() = default; int room[5]; };
struct Left : virtual std::exception { const char *what() const noexcept override { return "virtual base"; } };
struct Right : virtual std::exception {};
struct Both : Other, Left, Right { const char *what() const noexcept override { return "many bases"; } };
static const char **volatile null_pointer;
struct Wild : std::exception { const char *what() const noexcept override { return *null_pointer; } };
struct Silent : std::exception { const char *what() const noexcept override { return nullptr; } };
struct Private { int value = 3; };
template <typename T> struct Box { T value; };

static int how;
static volatile int zero;

static __attribute__((noinline)) void throws()
{
	Held held;
	switch (how) {
	case 0: throw Counted("counted");
	case 1: throw 42;
	case 2: throw "text";
	case 3: throw std::string("a string that is longer than its own small buffer");
	case 4: throw Both();
	case 5: throw Wild();
	case 6: throw Silent();
	case 7: throw Private();
	case 8: throw Box<Box<std::string>>{{"x"}};
	case 9: std::rethrow_exception(std::make_exception_ptr(Counted("dependent")));
	case 10:
		try { throw Counted("thrown again"); } catch (const std::exception &) { Held more; throw; }
	case 11: throw std::bad_alloc();
	case 12:
		try { throw Counted("first"); } catch (const Counted &) { throw Counted("second"); }
	case 13: throw std::string(1000, 'y');
	case 14: { char name[300]; memset(name, 'z', 299); name[299] = 0; throw Counted(name); }
	case 15: throw (Other *)nullptr;
	case 16: throw std::string("short");
	}
}

static __attribute__((noinline)) void passes_on() { Held held; throws(); zero = 1; }

static intptr_t guest_body(void *)
{
	Held held;
	try {
		passes_on();
	} catch (const std::logic_error &) {
		return 1;
	}
	return 0;
}

#ifdef __GLIBCXX__
#define STRING "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >"
#define CLASS "0x474e5543432b2b00"
#else
#define STRING "std::__1::basic_string<char, std::__1::char_traits<char>, std::__1::allocator<char> >"
#define CLASS "0x434c4e47432b2b00"
#endif

struct Expected { const char *type, *text; };
static const Expected expected[] = {
	{ "Counted", "counted" }, { "int", "42" }, { "char const*", "text" },
	{ STRING,
	  "a string that is longer than its own small buffer" },
	{ "Both", "many bases" }, { "Wild", "" }, { "Silent", "" }, { "Private", "" }, { nullptr, "" },
	{ "Counted", "dependent" }, { "Counted", "thrown again" }, { "std::bad_alloc", "std::bad_alloc" },
	{ "Counted", "second" }, { nullptr, nullptr }, { "Counted", nullptr }, { "Other*", "" },
	{ STRING, "short" },
};

static void check(rip_guest *guest, const rip_outcome &outcome)
{
	const rip_report *report = rip_get_report(guest);
	const rip_exception_info *info = &report->exception;
	const Expected &e = expected[how];

	tap_ok(outcome.cause == RIP_CAUSE_EXCEPTION && report->cause == RIP_CAUSE_EXCEPTION, "%d: %s", how,
	       rip_cause_name(outcome.cause));
	tap_ok(info->language == RIP_LANGUAGE_CXX, "%d: language %s", how, rip_language_name(info->language));
	if (e.type)
		tap_ok(strcmp(info->type, e.type) == 0, "%d: type '%s'", how, info->type);
	if (e.text)
		tap_ok(strcmp(info->text, e.text) == 0, "%d: text '%s'", how, info->text);
	tap_equal(alive, 0, "every destructor ran");
	tap_equal(in_flight_seen, 1, "while the exception was in flight");
	tap_ok(!report->abandoned && report->cleanups_failed == 0 && report->walk_end == RIP_E_END,
	       "%d cleanups, %d failed", (int)report->cleanups_run, (int)report->cleanups_failed);
	tap_ok(report->frames_total >= 4, "the stack is that of the throw: %d frames", (int)report->frames_total);
	tap_equal(std::uncaught_exceptions(), 0, "the host counts none as thrown");
	tap_ok(!std::current_exception(), "and has caught none");
}

static rip_outcome run(rip_guest **guest_ret)
{
	rip_outcome outcome = {};

	alive = in_flight_seen = 0;
	rip_create(nullptr, guest_ret);
	rip_run(*guest_ret, guest_body, nullptr, &outcome);
	return outcome;
}

static void deleted()
{
	rip_guest *guest;

	exceptions = 0;
	rip_outcome outcome = run(&guest);
	check(guest, outcome);
	bool counted = expected[how].type && strcmp(expected[how].type, "Counted") == 0;
	tap_equal(exceptions, counted, "the guest holds the exception");
	rip_destroy(guest);
	tap_equal(exceptions, 0, "and deletes it");
	tap_equal(std::uncaught_exceptions(), 0, "with nothing left");
}

static void rethrown()
{
	rip_guest *guest;
	int seen = -1, copied;

	exceptions = how = 0;
	run(&guest);
	copied = copies;
	try {
		Held held;
		rip_rethrow(guest);
	} catch (const std::exception &e) {
		seen = strcmp(e.what(), "counted");
		tap_equal(std::uncaught_exceptions(), 0, "caught in the host");
		tap_equal(exceptions, 1, "the same object");
		tap_equal(copies, copied, "and no copy");
		tap_equal(in_flight_seen, 1, "it was in flight before");
	}
	tap_equal(seen, 0, "by its base, with its text");
	tap_equal(exceptions, 0, "and deleted there");
	tap_ok(rip_rethrow(guest) == RIP_E_STATE, "once only");
	tap_ok(rip_rethrow(nullptr) == RIP_E_ARGUMENT, "of a guest");
	rip_destroy(guest);
	tap_equal(exceptions, 0, "not twice");
}

static void kept_by_pointer()
{
	rip_guest *guest;
	std::exception_ptr kept;

	exceptions = how = 0;
	run(&guest);
	try {
		rip_rethrow(guest);
	} catch (...) {
		kept = std::current_exception();
	}
	rip_destroy(guest);
	tap_equal(exceptions, 1, "what refers to it keeps it");
	kept = nullptr;
	tap_equal(exceptions, 0, "as long as it does");
}

static intptr_t runs_inner(void *result)
{
	Held held;
	rip_guest *guest;
	rip_outcome outcome = {};

	rip_create(nullptr, &guest);
	rip_run(guest, guest_body, nullptr, &outcome);
	*(rip_cause *)result = outcome.cause;
	tap_equal(std::uncaught_exceptions(), 0, "nothing is in flight between the two");
	struct Destroy { rip_guest *guest; ~Destroy() { rip_destroy(guest); } } destroy = { guest };
	rip_rethrow(guest);
	return 0;
}

static void through_two_guests()
{
	rip_guest *guest;
	rip_outcome outcome = {};
	rip_cause inner = RIP_CAUSE_NONE;

	exceptions = how = alive = 0;
	rip_create(nullptr, &guest);
	rip_run(guest, runs_inner, &inner, &outcome);
	tap_ok(inner == RIP_CAUSE_EXCEPTION && outcome.cause == RIP_CAUSE_EXCEPTION, "out of the inner, out of the outer");
	tap_ok(strcmp(rip_get_report(guest)->exception.text, "counted") == 0, "with its text");
	tap_equal(alive, 0, "both are unwound");
	try {
		rip_rethrow(guest);
	} catch (const Counted &) {
		tap_equal(exceptions, 1, "caught");
	}
	rip_destroy(guest);
	tap_equal(exceptions, 0, "deleted");
}

/* The host is in the middle of exceptions of its own. */
static void host_has_its_own()
{
	try {
		throw Counted("the host's");
	} catch (const Counted &e) {
		rip_guest *guest;
		rip_outcome outcome = run(&guest);
		tap_ok(outcome.cause == RIP_CAUSE_EXCEPTION, "inside a handler of the host's");
		tap_ok(std::current_exception() != nullptr, "which is still in it");
		rip_destroy(guest);
		try { throw; } catch (const Counted &again) { tap_ok(&again == &e, "and throws its own again"); }
	}
	struct Runs {
		~Runs()
		{
			rip_guest *guest;
			tap_equal(std::uncaught_exceptions(), 1, "a destructor of the host's, while it throws");
			rip_outcome outcome = run(&guest);
			tap_ok(outcome.cause == RIP_CAUSE_EXCEPTION, "a guest has its own exceptions");
			tap_equal(in_flight_seen, 1, "and its own count");
			tap_equal(std::uncaught_exceptions(), 1, "the host's is as before");
			rip_destroy(guest);
		}
	};
	try { Runs runs; throw 1; } catch (int) {}
	tap_equal(std::uncaught_exceptions(), 0, "and ends");
}

static void nobody_catches()
{
	rip_guest *guest;
	rip_options options = {};

	options.on_stop = [](rip_guest *stopped_guest, void *context) {
		*(std::string *)context = rip_get_report(stopped_guest)->exception.text;
		tap_equal(alive, 3, "it is looked at before anything is unwound");
	};
	std::string text;
	rip_outcome outcome = {};
	options.on_stop_context = &text;
	alive = 0;
	rip_create(&options, &guest);
	rip_run(guest, guest_body, nullptr, &outcome);
	tap_ok(text == "counted", "on_stop knows it: %s", text.c_str());
	rip_destroy(guest);
	tap_equal(exceptions, 0, "deleted");
}

/* As text and as JSON. */
static int append(void *to, const char *text, size_t size)
{
	((std::string *)to)->append(text, size);
	return 0;
}

static void reported()
{
	rip_guest *guest;
	std::string text, json;

	run(&guest);
	rip_report_text(rip_get_report(guest), nullptr, append, &text);
	rip_report_json(rip_get_report(guest), nullptr, append, &json);
	tap_ok(text.find("ripcord: guest stopped by an uncaught C++ exception: Counted: counted\n") == 0, "%s",
	       text.substr(0, text.find('\n')).c_str());
	tap_ok(json.find("\"exception\":{\"language\":\"C++\",\"class\":\"" CLASS "\",\"type\":\"Counted\","
			 "\"text\":\"counted\"}") != json.npos, "JSON");
	rip_destroy(guest);
}

int main()
{
	for (how = 0; how < 17; how++)
		deleted();
	rethrown();
	kept_by_pointer();
	through_two_guests();
	host_has_its_own();
	nobody_catches();
	reported();
	tap_done();
}
