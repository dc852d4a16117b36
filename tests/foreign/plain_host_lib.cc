// SPDX-License-Identifier: MIT
// A host that another compiler builds: its frames stand between a guest's and below them when the guest is killed.
// Each case prints its name, the cause, the rung, what was acquired and released, and the module of the frame that the
// kill waited for.
#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>

#include "ripcord/kill.h"
#include "ripcord/ripcord.h"

extern "C" {
void spin();                                    // the guest's: for ever
void spin_for(long polls);                      // and not for ever
void calls_back(void (*function)(void *), void *argument);
void by_hand(void (*function)(void *), void *argument, int times, int *held); // plain C, without -fexceptions
}

namespace {

int acquired, released;
struct held {
	held() { acquired++; }
	held(const held &) { acquired++; }
	~held() { released++; }
};

// The host between two guests' frames, and with a destructor of its own.
void between(void *)
{
	held h;
	auto owner = std::make_unique<held>();
	std::function<void()> inner = [copy = h] { spin(); };
	inner();
}

void nested(void *argument)
{
	held h;
	calls_back(between, argument);
}

struct visits {
	virtual ~visits() = default;
	virtual void visit() = 0;
};
template <class T> struct visits_with : visits {
	T function;
	held h;
	explicit visits_with(T f) : function(f) {}
	void visit() override { function(); }
};

// Nothing may leave it: a kill waits for its end.
void closed(void *) noexcept
{
	held h;
	spin_for(200 * 1000 * 1000);
}

int held_by_hand;

// What C frees by hand behind the call is freed before the kill lands.
void through_c(void *)
{
	held h;
	by_hand([](void *) { spin_for(20 * 1000 * 1000); }, nullptr, 20, &held_by_hand);
	spin();
}

// The host's own handler sees the stop as a foreign exception that it must pass on.
void catches(void *)
{
	held h;
	try {
		held inner;
		spin();
	} catch (const std::exception &) {
		std::puts("caught what nobody threw");
	}
}

const struct {
	const char *name;
	std::function<void()> function;
} cases[] = {
	{ "a lambda", [] { held h; spin(); } },
	{ "guest, host, guest, host", [] { held h; calls_back(nested, nullptr); } },
	{ "a virtual function of a template", [] { auto f = [] { spin(); }; visits_with<decltype(f)> v(f); v.visit(); } },
	{ "a handler of another type", [] { calls_back(catches, nullptr); } },
	{ "a noexcept function", [] { held h; calls_back(closed, nullptr); spin(); } },
	{ "C by hand", [] { held h; calls_back(through_c, nullptr); } },
};

// Nothing is to be cleaned up in it: it has no call-site table.
intptr_t trampoline(void *function)
{
	(*static_cast<const std::function<void()> *>(function))();
	return 0;
}

void run(const char *name, const std::function<void()> &function, bool strict)
{
	rip_options options = {};
	rip_outcome end = {};
	rip_guest *guest;
	Dl_info where = {};

	options.deadline = 3 * 1000 * 1000;
	options.grace = strict ? 100 * 1000 * 1000 : RIP_NEVER;
	options.strict_frames = strict;
	acquired = released = held_by_hand = 0;
	if (rip_create(&options, &guest) != RIP_OK)
		return;
	rip_run(guest, trampoline, const_cast<std::function<void()> *>(&function), &end);
	const rip_report *report = rip_get_report(guest);
	if (report->foreign_pc)
		dladdr(reinterpret_cast<void *>(report->foreign_pc), &where);
	const char *file = where.dli_fname ? std::strrchr(where.dli_fname, '/') : nullptr;
	std::printf("%s: %s, rung %d, %s, %d by hand, waited for %s\n", name, rip_cause_name(end.cause), report->rung,
		    acquired == released && acquired > 0 ? "each released" : "LOST", held_by_hand, file ? file + 1 : "none");
	rip_destroy(guest);
}

} // namespace

int main(int argc, char **)
{
	for (const auto &one : cases)
		run(one.name, one.function, argc > 1);
	return 0;
}
