// SPDX-License-Identifier: MIT
// Cleanups and handlers in one landing pad, as C++ has them: each is swept at five levels (chains.sh). Its types
// only count, so that what a stop leaves in a library's half-changed data hides nothing.
#include <exception>

#include "counted_lib.h"

namespace {

INLINE void throws_on(unsigned *p)
{
	try {
		work(p);
	} catch (...) {
		value = 3;
		throw;
	}
}

NOINLINE void all_around(unsigned *p) { try { resource<1> r; throws_on(p); } catch (...) { value = 5; } }
NOINLINE void no_destructor(unsigned *p) { try { throws_on(p); } catch (...) { value = 5; } }
NOINLINE void typed_around(unsigned *p) { try { resource<1> r; throws_on(p); } catch (int) { value = 4; } }
NOINLINE void typed_first(unsigned *p)
{
	try {
		resource<1> r;
		throws_on(p);
	} catch (int) {
		value = 4;
	} catch (...) {
		value = 5;
	}
}
NOINLINE void outer_throws_on(unsigned *p)
{
	try {
		resource<1> r;
		throws_on(p);
	} catch (...) {
		value = 5;
		throw;
	}
}
NOINLINE void three_deep(unsigned *p)
{
	try {
		resource<1> a;
		try {
			resource<2> b;
			throws_on(p);
		} catch (...) {
			resource<3> c;
			value = 6;
			throw;
		}
	} catch (...) {
		value = 5;
	}
}
NOINLINE void rethrown_in_a_handler(unsigned *p)
{
	resource<1> a;
	try {
		work(p);
	} catch (...) {
		try {
			resource<2> b;
			throw;
		} catch (...) {
			resource<3> c;
			value = 7;
		}
	}
}
NOINLINE void breaks(unsigned *p)
{
	for (int i = 0; i < 2; i++) {
		resource<1> a;
		try {
			resource<2> b;
			work(p);
		} catch (...) {
			break;
		}
	}
}
NOINLINE unsigned returns(unsigned *p)
{
	resource<1> a;
	try {
		resource<2> b;
		work(p);
	} catch (...) {
		return 1;
	}
	return value;
}

struct base {
	resource<4> held;
	NOINLINE base(unsigned *p) try : held() {
		resource<5> r;
		work(p);
	} catch (...) {
		value = 9;
	}
};
NOINLINE void function_try(unsigned *p) try { resource<1> r; base b(p); } catch (...) { value = 10; }

NOINLINE void inside_noexcept(unsigned *p) noexcept
{
	try {
		resource<1> r;
		throws_on(p);
	} catch (...) {
		value = 5;
	}
}

// In a handler of the guest's own, in this frame and in another.
NOINLINE void in_own_handler(unsigned *p)
{
	try {
		resource<1> a;
		try {
			throw 1;
		} catch (int) {
			resource<2> b;
			work(p);
		}
	} catch (...) {
		value = 11;
	}
}
NOINLINE void in_own_handler_rethrown(unsigned *p)
{
	try {
		throw 1;
	} catch (int) {
		resource<1> a;
		try {
			resource<2> b;
			throws_on(p);
		} catch (...) {
			value = 12;
		}
	}
}

// A handler that the stop runs through throws an exception of its own, which the same function would take.
NOINLINE void throws_another(unsigned *p)
{
	resource<1> z;
	try {
		resource<2> c;
		try {
			resource<3> a;
			work(p);
		} catch (...) {
			resource<4> b;
			throw 5;
		}
	} catch (char) {
		value = 14;
	} catch (int) {
		value = 15;
	}
	value = 16;
}
NOINLINE void another_for_all(unsigned *p)
{
	resource<1> z;
	try {
		resource<2> c;
		try {
			throws_on(p);
		} catch (...) {
			resource<3> b;
			throw 5;
		}
	} catch (int) {
		value = 14;
	} catch (...) {
		resource<4> d;
		value = 15;
	}
}
NOINLINE void another_twice(unsigned *p)
{
	resource<1> z;
	for (int i = 0; i < 2; i++) {
		try {
			try {
				resource<2> c;
				try {
					work(p);
				} catch (...) {
					throw 5;
				}
			} catch (...) {
				resource<3> d;
				throw 'c';
			}
		} catch (char) {
			continue;
		}
	}
}
NOINLINE void another_from_below(unsigned *p, int depth)
{
	resource<1> z;
	try {
		resource<2> c;
		if (depth > 0)
			another_from_below(p, depth - 1);
		else
			throws_another(p);
	} catch (...) {
		resource<3> b;
		try {
			throw 6;
		} catch (int) {
			throw;
		}
	}
}

// A destructor that throws unless an exception is in flight: a stop is one. In a cleanup, and before a handler.
struct lets_out {
	resource<1> held;
	~lets_out() noexcept(false)
	{
		if (std::uncaught_exceptions() == 0)
			throw 1u;
	}
};
NOINLINE void throws_at_the_end(unsigned *p)
{
	try {
		lets_out a;
		resource<2> b;
		work(p);
	} catch (unsigned) {
		value = 18;
	}
}
NOINLINE void throws_before_a_handler(unsigned *p)
{
	try {
		lets_out a;
		work(p);
	} catch (...) {
		resource<3> b;
		value = 19;
	}
}

void (*const each[])(unsigned *) = {
	all_around, no_destructor, typed_around, typed_first, rethrown_in_a_handler, three_deep, breaks,
	[](unsigned *p) { returns(p); }, function_try, inside_noexcept, in_own_handler, in_own_handler_rethrown,
	[](unsigned *p) { try { outer_throws_on(p); } catch (...) { value = 13; } },
	throws_at_the_end, throws_before_a_handler, throws_another, another_for_all, another_twice,
	[](unsigned *p) { try { another_from_below(p, 1); } catch (int) { value = 17; } },
};

// These once more in a handler of another exception.
void (*const again[])(unsigned *) = { all_around, typed_first, function_try, in_own_handler, throws_another };

} // namespace

int main(int argc, char **)
{
	unsigned x, *volatile p = argc > 100 ? nullptr : &x;

	for (auto function : each)
		function(p);
	try {
		throw 2;
	} catch (int) {
		for (auto function : again)
			function(p);
	}
	return 0;
}
