// SPDX-License-Identifier: MIT
// Kills in coroutines and in the library's own code with handlers (chains.sh): what stands in a coroutine's frame is
// released once, whether it runs or is suspended, and none of the handlers keeps the stop.
#include <coroutine>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <vector>

#include "counted_lib.h"

namespace {

// --- Coroutines ---

struct promise {
	resource<1> held;
	std::suspend_always initial_suspend() noexcept { return {}; }
	std::suspend_always final_suspend() noexcept { return {}; }
	std::suspend_always yield_value(unsigned) noexcept { return {}; }
	void return_void() {}
};

// What leaves the body is thrown on, kept for the caller, or looked at only.
struct throws_on : promise { void unhandled_exception() { throw; } };
struct keeps : promise {
	std::exception_ptr error;
	void unhandled_exception() { error = std::current_exception(); }
};
struct looks : promise { void unhandled_exception() { value = std::current_exception() ? 1 : 2; } };

template <typename base> struct sequence {
	struct promise_type : base {
		sequence get_return_object() { return { std::coroutine_handle<promise_type>::from_promise(*this) }; }
	};
	std::coroutine_handle<promise_type> handle;
};

// Apart from what the coroutine returns: that is destroyed with a frame that has not begun.
template <typename base> struct owner {
	sequence<base> all;
	~owner() { all.handle.destroy(); }
	bool next()
	{
		all.handle.resume();
		return !all.handle.done();
	}
};

template <typename base> NOINLINE sequence<base> numbers()
{
	resource<2> outer;
	for (unsigned i = 0; i < 2; i++) {
		resource<3> inner;
		work();
		co_yield i;
		work();
	}
}

template <typename base> NOINLINE sequence<base> around()
{
	resource<4> outer;
	try {
		owner<base> inside{ numbers<base>() };
		while (inside.next()) {
			resource<5> inner;
			work();
			co_yield 1;
		}
	} catch (...) {
		value = 3;
		throw;
	}
}

template <typename base> NOINLINE void runs()
{
	resource<6> r;
	try {
		owner<base> all{ around<base>() };
		while (all.next())
			work();
	} catch (int) {
		value = 4;
	}
}

// --- The library ---

struct item {
	item() { rip_sweep_acquire("item", 1); }
	item(const item &) { work(); rip_sweep_acquire("item", 1); }
	~item() { rip_sweep_release("item", 1); }
	bool operator<(const item &) const { work(); return true; }
};

struct worker {
	resource<1> held;
	worker() { work(); }
};

struct buffer : std::streambuf {
	resource<2> held;
	int overflow(int c) override { work(); return c; }
};

NOINLINE void containers()
{
	std::vector<item> all(2), copy(all);
	copy.insert(copy.begin(), all.begin(), all.end());
	std::map<item, int> map;
	map[item()] = 1;
	map[item()] = 2;
}

NOINLINE void pointers()
{
	auto shared = std::make_shared<worker>();
	auto key = std::make_shared<item>();
	std::function<void()> call = [key] { work(); }, copy = call;
	copy();
}

NOINLINE void streams()
{
	buffer b;
	std::ostream stream(&b);
	stream << 5 << "text" << 3.0;
}

struct built {
	resource<3> first;
	worker second;
	NOINLINE built() try : first(), second() { resource<4> r; work(); } catch (...) { resource<5> r; throw 5; }
	NOINLINE ~built() noexcept(false) try { resource<4> r; work(); } catch (...) { resource<5> r; value = 5; }
};

NOINLINE void function_try()
{
	resource<6> r;
	try {
		built b;
		work();
	} catch (int) {
		value = 6;
	}
}

void (*const each[])() = {
	runs<throws_on>, runs<keeps>, runs<looks>, containers, pointers, streams, function_try,
};

} // namespace

int main()
{
	for (auto function : each)
		function();
	return 0;
}
