// Dynamic exception specifications, which C++14 was the last to have.
#include "language.h"

#include <cstdio>
#include <exception>

namespace {

struct Unexpected {};
void becomes_unexpected() { throw Unexpected(); }
__attribute__((noinline)) void only_int(int kind) throw(int, Unexpected)
{
	Noisy noisy(60 + kind);
	if (kind == 0)
		throw 1;
	throw "text";
}
__attribute__((noinline)) void or_bad() throw(std::bad_exception) { throw 1.5; }
void rethrows() { throw; }

} // namespace

void specifications()
{
	std::set_unexpected(becomes_unexpected);
	for (int kind = 0; kind < 2; kind++) {
		try {
			only_int(kind);
		} catch (int n) {
			std::printf("allowed: %d\n", n);
		} catch (const Unexpected &) {
			std::puts("unexpected became allowed");
		}
	}
	std::set_unexpected(rethrows);
	try {
		or_bad();
	} catch (const std::bad_exception &) {
		std::puts("bad_exception");
	}
}
