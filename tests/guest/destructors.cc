/* SPDX-License-Identifier: MIT
 * C++ as a guest: destructors run at a fault, handlers do not, exceptions of the guest's own work as ever, and
 * the public headers are C++ as they stand. */
#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "ripcord/cleanup.h"
#include "ripcord/ripcord.h"
#include "tap.h"

static int *volatile null_pointer;
static volatile int sink;
static int alive, order[64], order_count, handled;

struct Held {
	int number;
	explicit Held(int n) : number(n) { alive++; }
	Held(const Held &other) : number(other.number) { alive++; }
	~Held() { alive--; order[order_count++ & 63] = number; }
};

static void fault() { *null_pointer = 1; }
static void leave() { rip_exit(8); }
static void recurse_for_ever(int depth)
{
	Held held(50);
	volatile char frame[3000];
	frame[0] = (char)depth;
	if (depth < 1 << 24)
		recurse_for_ever(depth + 1);
	frame[1] = frame[0];
}
static void overflow() { recurse_for_ever(0); }
static void (*volatile stop)();

static __attribute__((noinline)) void containers()
{
	Held a(1);
	std::vector<Held> several(3, Held(2));
	std::unique_ptr<Held> owned(new Held(3));
	std::string text(100, 'x');
	std::shared_ptr<Held> shared = std::make_shared<Held>(4);
	sink = (int)text.size() + shared->number;
	stop();
	sink = several[0].number;
}

static __attribute__((noinline)) void with_handlers()
{
	Held a(5);
	try {
		Held b(6);
		containers();
	} catch (const std::exception &) {
		handled++;
	} catch (int) {
		handled++;
	}
	sink = a.number;
}

static __attribute__((noinline)) void throws_and_catches()
{
	for (int i = 0; i < 3; i++) {
		try {
			Held a(7);
			throw std::runtime_error("of the guest's own");
		} catch (const std::runtime_error &) {
			handled++;
		}
	}
}

/* A stop inside a handler: the caught exception is freed, too. */
static __attribute__((noinline)) void stops_in_handler()
{
	try {
		Held a(8);
		throw Held(9);
	} catch (const Held &) {
		Held b(10);
		with_handlers();
	}
}

static intptr_t guest_body(void *)
{
	Held outermost(0);
	RIP_AUTO_FREE void *memory = std::malloc(10);
	throws_and_catches();
	stops_in_handler();
	sink = memory != nullptr;
	return 1;
}

static void try_stop(const char *name, void (*how)(), rip_cause cause)
{
	rip_guest *guest;
	rip_outcome outcome = { RIP_CAUSE_NONE, 0, NULL };

	alive = order_count = handled = 0;
	stop = how;
	rip_create(nullptr, &guest);
	rip_run(guest, guest_body, nullptr, &outcome);
	tap_ok(outcome.cause == cause, "%s: %s", name, rip_cause_name(outcome.cause));
	const rip_report *report = rip_get_report(guest);
	tap_equal(alive, 0, "every destructor ran once");
	tap_ok(order[(order_count - 1) & 63] == 0, "the outermost last");
	tap_equal(handled, 3, "no handler took the stop");
	tap_ok(!report->abandoned && report->cleanups_failed == 0 && report->walk_end == RIP_E_END,
	       "unwound to the host, %d landing pads", (int)report->cleanups_run);
	rip_destroy(guest);
}

int main()
{
	try_stop("fault", fault, RIP_CAUSE_FAULT);
	try_stop("rip_exit", leave, RIP_CAUSE_EXITED);
	try_stop("overflow", overflow, RIP_CAUSE_OVERFLOW);
	tap_done();
}
