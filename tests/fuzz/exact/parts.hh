// SPDX-License-Identifier: MIT
// What the generator's programs in C++ have besides parts.h: owners of their own types, so that the standard library's own
// half-changed data hides no finding.
#ifndef EXACT_PARTS_HH
#define EXACT_PARTS_HH

#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "parts.h"

// Owns one resource, or none.
class own {
public:
	own() = default;
	explicit own(int number) : number_(number) {}
	own(own &&other) noexcept : number_(other.number_) { other.number_ = -1; }
	own &operator=(own &&other) noexcept
	{
		std::swap(number_, other.number_);
		return *this;
	}
	own(const own &) = delete;
	~own() { drop_inline(&number_); }
	int number() const { return number_; }

private:
	int number_ = -1;
};

// Its destructor throws, and catches that itself.
class own_that_throws {
public:
	explicit own_that_throws(int number) : number_(number) {}
	own_that_throws(const own_that_throws &) = delete;
	~own_that_throws()
	{
		try {
			if (always)
				throw 1;
		} catch (int caught) {
			MIX(caught);
		}
		drop_call(&number_);
	}

private:
	int number_;
};

// Its destructor lets an exception out, after it has released.
class own_that_lets_out {
public:
	own_that_lets_out(int number, bool throws) : number_(number), throws_(throws) {}
	own_that_lets_out(const own_that_lets_out &) = delete;
	~own_that_lets_out() noexcept(false)
	{
		drop_loop(&number_);
		if (throws_ && std::uncaught_exceptions() == 0)
			throw 2u;
	}

private:
	int number_;
	bool throws_;
};

// Members, bases and virtual calls.
class base {
public:
	virtual ~base() = default;
	virtual u work(u a, u *p) { return a + p[0]; }
};

class derived : public base {
public:
	explicit derived(u value) : first_(acquire()), value_(value), second_(make(value)) {}
	u work(u a, u *p) override
	{
		own inside(acquire());
		return sum_pure(p, a & 7) + value_ + loops(a, 2);
	}

private:
	own first_;
	u value_;
	own second_;
};

// A constructor that fails half-way.
class fails {
public:
	explicit fails(u value) : first_(acquire())
	{
		if (value & 1)
			throw static_cast<int>(value);
		second_ = own(acquire());
	}

private:
	own first_, second_;
};

static NOINLINE MAYBE std::unique_ptr<base> make_object(u which)
{
	if (which & 1)
		return std::make_unique<derived>(which);
	return std::make_unique<base>();
}

// Owners in an array of its own, in order.
template <unsigned N> class row {
public:
	row() = default;
	row(const row &) = delete;
	void add(own &&one)
	{
		if (count_ < N)
			all_[count_++] = std::move(one);
	}
	unsigned count() const { return count_; }

private:
	own all_[N];
	unsigned count_ = 0;
};

// Calls a function that must not throw.
template <typename F> static NOINLINE void quietly(F &&call) noexcept
{
	call();
}

// A coroutine that yields numbers.
class sequence {
public:
	struct promise_type {
		u value = 0;
		std::exception_ptr error;
		sequence get_return_object() { return sequence(std::coroutine_handle<promise_type>::from_promise(*this)); }
		std::suspend_always initial_suspend() noexcept { return {}; }
		std::suspend_always final_suspend() noexcept { return {}; }
		std::suspend_always yield_value(u number) noexcept
		{
			value = number;
			return {};
		}
		void return_void() {}
		void unhandled_exception() { error = std::current_exception(); }
	};

	sequence(const sequence &) = delete;
	~sequence() { handle_.destroy(); }
	bool next()
	{
		handle_.resume();
		if (handle_.promise().error)
			std::rethrow_exception(handle_.promise().error);
		return !handle_.done();
	}
	u value() const { return handle_.promise().value; }

private:
	explicit sequence(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
	std::coroutine_handle<promise_type> handle_;
};

static MAYBE sequence count_to(u end, u throws_at)
{
	own outer(acquire());

	for (u i = 0; i < end; i++) {
		own inner(acquire());
		if (i == throws_at)
			throw 3;
		co_yield i + loops(i, 2);
	}
}

static NOINLINE MAYBE void throw_int(u a)
{
	own inside(acquire());

	if (a & 1)
		throw static_cast<int>(a);
}

#endif
