// What the language says of exceptions.
#include "language.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <future>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <typeinfo>
#include <vector>

namespace {

__attribute__((noinline)) int descend(int depth, bool noisy)
{
	Counted counted;
	volatile int here = depth;
	if (depth == 0)
		throw std::runtime_error("bottom");
	int below = descend(depth - 1, noisy);
	return below + here;
}

void depths()
{
	for (int depth : { 1, 2, 3, 10, 31, 100, 317, 1000, 3000 }) {
		int before = Counted::alive;
		try {
			descend(depth, false);
			std::puts("no exception");
		} catch (const std::exception &e) {
			std::printf("depth %d: %s, left alive %d\n", depth, e.what(), Counted::alive - before);
		}
	}
}

struct Base { virtual ~Base() {} virtual const char *name() const { return "Base"; } };
struct Left : virtual Base { const char *name() const override { return "Left"; } };
struct Right : virtual Base { int pad = 7; };
struct Both : Left, Right { const char *name() const override { return "Both"; } };

template <class Thrown> void catches(const char *what, const Thrown &thrown)
{
	Noisy noisy(1);
	try {
		throw thrown;
	} catch (const Left &l) {
		std::printf("%s: Left %s\n", what, l.name());
	} catch (const Base &b) {
		std::printf("%s: Base %s %s\n", what, b.name(), dynamic_cast<const Right *>(&b) ? "right" : "");
	} catch (int n) {
		std::printf("%s: int %d\n", what, n);
	} catch (const char *s) {
		std::printf("%s: string %s\n", what, s);
	} catch (int (*f)(int)) {
		std::printf("%s: function %d\n", what, f(1));
	} catch (void *p) {
		std::printf("%s: pointer %d\n", what, p != nullptr);
	} catch (...) {
		std::printf("%s: something\n", what);
	}
}

int plus_one(int n) { return n + 1; }

void types()
{
	static int object;
	catches("left", Left());
	catches("both", Both());
	catches("right", Right());
	catches("int", 3);
	catches("long", 3L);
	catches("string", (const char *)"text");
	catches("pointer", &object);
	catches("null", nullptr);
	catches("function", &plus_one);
	int Both::*member = nullptr;
	catches("member", member);
}

void nested()
{
	try {
		Noisy a(10);
		try {
			Noisy b(11);
			throw 1;
		} catch (int n) {
			Noisy c(12);
			std::printf("caught %d\n", n);
			try {
				Noisy d(13);
				throw std::string("inner");
			} catch (const std::string &s) {
				std::printf("caught %s, uncaught %d\n", s.c_str(), std::uncaught_exceptions());
			}
			throw; // the first one again
		}
	} catch (int n) {
		std::printf("again %d\n", n);
	}
}

void in_handlers()
{
	try {
		try {
			throw 1;
		} catch (int) {
			Noisy noisy(20);
			throw 2.5;
		}
	} catch (double d) {
		std::printf("from a handler: %g\n", d);
	}
	for (int i = 0; i < 3; i++) {
		try {
			if (i == 1)
				continue;
			throw i;
		} catch (int n) {
			if (n == 0)
				continue;
			break;
		}
	}
	std::printf("left loops: %d\n", std::uncaught_exceptions());
}

struct ThrowingMember {
	Noisy first{ 30 };
	Counted second;
	Noisy third;
	explicit ThrowingMember(int n) try : third(check(n)) {
		std::puts("constructed");
	} catch (int caught) {
		std::printf("function-try-block: %d\n", caught); // and it goes on from here by itself
	}
	~ThrowingMember() noexcept(false)
	{
		if (third.number == 32)
			throw std::logic_error("destructor");
	}
	static int check(int n)
	{
		if (n == 31)
			throw n;
		return n;
	}
};

int body() try {
	Noisy noisy(40);
	throw std::bad_alloc();
} catch (const std::exception &e) {
	std::printf("function body: %s\n", e.what());
	return 4;
}

void objects()
{
	for (int n : { 31, 32, 33 }) {
		try {
			ThrowingMember member(n);
		} catch (int caught) {
			std::printf("constructor: %d\n", caught);
		} catch (const std::logic_error &e) {
			std::printf("logic: %s\n", e.what());
		}
	}
	std::printf("body: %d\n", body());
	struct Element {
		Counted counted;
		Element() { if (Counted::alive % 7 == 6) throw 6; }
	};
	try {
		std::vector<Element> elements(9);
	} catch (int) {
		std::printf("array: alive %d\n", Counted::alive);
	}
	try {
		delete[] new Element[9];
	} catch (int) {
		std::printf("new[]: alive %d\n", Counted::alive);
	}
	static int tries;
	struct Static { Static() { if (++tries < 3) throw tries; } };
	for (int i = 0; i < 4; i++) {
		try {
			static Static once;
			std::printf("static: constructed after %d\n", tries);
		} catch (int n) {
			std::printf("static: %d\n", n);
		}
	}
	try {
		(void)dynamic_cast<const Left &>(static_cast<const Base &>(Right()));
	} catch (const std::bad_cast &) {
		std::puts("bad_cast");
	}
	try {
		std::vector<int>(1).at(static_cast<std::size_t>(-1) / 2);
	} catch (const std::out_of_range &) {
		std::puts("out_of_range");
	}
}

struct Unwinding {
	~Unwinding()
	{
		std::printf("uncaught in a destructor: %d\n", std::uncaught_exceptions());
		try {
			Noisy noisy(50);
			throw 'c';
		} catch (char c) {
			std::printf("a destructor's own: %c\n", c);
		}
	}
};

void pointers()
{
	std::exception_ptr kept;
	try {
		Unwinding unwinding;
		throw std::range_error("kept");
	} catch (...) {
		kept = std::current_exception();
	}
	for (int i = 0; i < 2; i++) {
		try {
			std::rethrow_exception(kept);
		} catch (const std::range_error &e) {
			std::printf("rethrown: %s\n", e.what());
		}
	}
	std::thread([&] {
		try {
			std::rethrow_exception(kept);
		} catch (const std::exception &e) {
			std::printf("in another thread: %s\n", e.what());
		}
	}).join();
	try {
		std::rethrow_exception(std::make_exception_ptr(9));
	} catch (int n) {
		std::printf("made: %d\n", n);
	}
	try {
		try {
			throw std::runtime_error("inner");
		} catch (...) {
			std::throw_with_nested(std::logic_error("outer"));
		}
	} catch (const std::logic_error &outer) {
		try {
			std::rethrow_if_nested(outer);
		} catch (const std::runtime_error &inner) {
			std::printf("nested: %s in %s\n", inner.what(), outer.what());
		}
	}
	std::promise<int> promise;
	auto future = promise.get_future();
	std::thread([&] { promise.set_exception(std::make_exception_ptr(std::string("promised"))); }).join();
	try {
		future.get();
	} catch (const std::string &s) {
		std::printf("future: %s\n", s.c_str());
	}
}

void threads()
{
	int caught[8] = {};
	std::vector<std::thread> all;
	for (int &count : caught)
		all.emplace_back([&count, &caught] {
			for (int i = 0; i < 400; i++) {
				try {
					std::function<void(int)> go = [&](int depth) {
						std::string s(40, 'x');
						if (depth == 0)
							throw static_cast<int>(&count - caught);
						go(depth - 1);
					};
					go(i % 20);
				} catch (int n) {
					count += n == &count - caught;
				}
			}
		});
	for (auto &thread : all)
		thread.join();
	for (int count : caught)
		std::printf("%d ", count);
	std::puts("caught in threads");
}

} // namespace

void throws()
{
	depths();
	types();
	nested();
	in_handlers();
	objects();
	pointers();
	threads();
}
