// Exceptions on their way through C, and those that come from there.
#include "language.h"

#include <cstdio>
#include <exception>
#include <initializer_list>
#include <mutex>

namespace {

int calls;

int compare(const void *a, const void *b)
{
	Counted counted;
	if (++calls % 20 == 0)
		throw calls;
	return *static_cast<const int *>(a) - *static_cast<const int *>(b);
}

void thrower(void *argument)
{
	Noisy noisy(80);
	throw *static_cast<int *>(argument);
}

void through()
{
	for (int depth : { 0, 1, 50 }) {
		int before = c_cleanups;
		try {
			int number = depth;
			call_with_cleanup(thrower, &number, depth);
		} catch (int n) {
			std::printf("through C: %d, cleanups %d\n", n, c_cleanups - before);
		}
	}
	for (int i = 0; i < 3; i++) {
		try {
			sort_with(compare);
		} catch (int n) {
			std::printf("through qsort: %d\n", n);
		}
	}
}

void pushed()
{
	for (auto call : { call_pushed_few, call_pushed_many }) {
		int before = c_cleanups, number = 8;
		try {
			call(thrower, &number);
		} catch (int n) {
			std::printf("pushed: %d, cleanups %d\n", n, c_cleanups - before);
		}
	}
}

// libc's frame has a cleanup and a personality of its own.
void once()
{
	std::once_flag flag;
	for (int i = 0; i < 3; i++) {
		try {
			std::call_once(flag, [i] {
				Noisy noisy(83);
				if (i < 2)
					throw i;
			});
			std::printf("once: done at %d\n", i);
		} catch (int n) {
			std::printf("once: %d\n", n);
		}
	}
}

void foreign()
{
	try {
		Noisy noisy(81);
		raise_foreign(1);
	} catch (int) {
		std::puts("not an int");
	} catch (...) {
		std::printf("foreign caught, pointer %d\n", std::current_exception() != nullptr);
	}
	try {
		try {
			raise_foreign(1);
		} catch (...) {
			Noisy noisy(82);
			throw; // a foreign one, again
		}
	} catch (...) {
		std::puts("foreign caught again");
	}
	try {
		try {
			raise_foreign(1);
		} catch (...) {
			throw 7; // lets go of it
		}
	} catch (int n) {
		std::printf("instead: %d\n", n);
	}
}

} // namespace

void c_frames()
{
	through();
	pushed();
	catch_in_c();
	once();
	foreign();
}
