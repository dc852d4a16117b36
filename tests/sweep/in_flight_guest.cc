// SPDX-License-Identifier: MIT
// Destructors that ask whether an exception is in flight: to them a stop is one, wherever it is unwound (chains.sh).
#include <exception>

#include "counted_lib.h"

#define INLINE_METHOD inline __attribute__((always_inline))

namespace {

// Throws, but not while an exception is in flight.
template <int name> struct lets_out {
	resource<name> held;
	~lets_out() noexcept(false)
	{
		if (std::uncaught_exceptions() == 0)
			throw 1u;
	}
};

// By a function that does not return.
[[noreturn]] NOINLINE void throw_out() { throw 1u; }
template <int name> struct calls_out {
	resource<name> held;
	INLINE_METHOD ~calls_out() noexcept(false)
	{
		if (std::uncaught_exceptions() == 0)
			throw_out();
	}
};

// Takes back what it stands for, unless it ends by itself: then that stays, for `keep` to release.
template <int name> struct undo {
	int before = std::uncaught_exceptions();
	undo() { rip_sweep_acquire("undo", name); }
	~undo() noexcept(false)
	{
		if (std::uncaught_exceptions() > before)
			rip_sweep_release("undo", name);
	}
};
template <int name> INLINE void keep() { rip_sweep_release("undo", name); }

// --- Cleanups in front of handlers, with and without more cleanups around ---

NOINLINE void before_a_handler(unsigned *p)
{
	try {
		lets_out<1> a;
		resource<2> b;
		work(p);
	} catch (...) {
		resource<3> c;
		value = 1;
	}
}
NOINLINE void inside_another(unsigned *p)
{
	resource<4> z;
	try {
		lets_out<1> a;
		resource<2> b;
		work(p);
	} catch (...) {
		resource<3> c;
		value = 2;
	}
}
NOINLINE void before_typed_handlers(unsigned *p)
{
	resource<4> z;
	try {
		lets_out<1> a;
		resource<2> b;
		work(p);
	} catch (int) {
		value = 3;
	} catch (...) {
		resource<3> c;
		value = 4;
	}
}
NOINLINE void in_a_callee(unsigned *p)
{
	resource<5> y;
	lets_out<6> z;
	before_typed_handlers(p);
	work(p);
}
NOINLINE void callee_before_a_handler(unsigned *p)
{
	resource<7> y;
	try {
		lets_out<8> z;
		try {
			in_a_callee(p);
		} catch (unsigned) {
			value = 5;
		}
	} catch (...) {
		resource<9> x;
		value = 6;
	}
}
NOINLINE void three_deep(unsigned *p)
{
	resource<1> z;
	try {
		lets_out<2> a;
		try {
			lets_out<3> b;
			try {
				lets_out<4> c;
				work(p);
			} catch (...) {
				resource<5> d;
				throw;
			}
		} catch (...) {
			resource<6> e;
			throw;
		}
	} catch (...) {
		resource<7> f;
		value = 7;
	}
}
NOINLINE void inside_noexcept(unsigned *p) noexcept
{
	try {
		lets_out<2> a;
		work(p);
	} catch (...) {
		value = 8;
	}
}
struct member {
	lets_out<1> held;
	resource<2> more;
	NOINLINE member(unsigned *p) try : held(), more() { lets_out<3> r; work(p); } catch (...) { resource<4> c; }
	~member() noexcept(false) {}
};
NOINLINE void of_a_member(unsigned *p)
{
	resource<5> z;
	try {
		member m(p);
		work(p);
	} catch (...) {
		value = 9;
	}
}
NOINLINE void in_an_array(unsigned *p)
{
	resource<1> z;
	try {
		lets_out<2> a[1];
		work(p);
	} catch (...) {
		value = 10;
	}
}
template <template <int> class owner> NOINLINE void before_two_types(unsigned *p)
{
	resource<1> z;
	try {
		owner<2> a;
		try {
			owner<3> b;
			work(p);
		} catch (int) {
			owner<4> c;
			value = 21;
		} catch (char) {
			throw;
		}
	} catch (char) {
		value = 22;
	} catch (...) {
		resource<5> d;
		value = 23;
	}
}

// --- Handlers ---

NOINLINE void in_own_handler(unsigned *p)
{
	resource<1> z;
	try {
		try {
			throw 1;
		} catch (int) {
			lets_out<2> a;
			work(p);
		}
	} catch (...) {
		resource<3> b;
		value = 12;
	}
}
NOINLINE void in_the_handler(unsigned *p)
{
	resource<1> z;
	try {
		try {
			resource<2> a;
			work(p);
		} catch (...) {
			lets_out<3> b;
			resource<4> c;
			value = 13;
		}
	} catch (unsigned) {
		value = 14;
	}
}
NOINLINE void throws_another(unsigned *p)
{
	resource<1> z;
	try {
		lets_out<2> a;
		try {
			lets_out<3> b;
			work(p);
		} catch (...) {
			lets_out<4> c;
			throw 5;
		}
	} catch (...) {
		resource<5> d;
		value = 15;
	}
}

// --- Destructors that may call std::terminate themselves ---

template <int name> struct must_be_done {
	resource<name> held;
	INLINE_METHOD ~must_be_done()
	{
		if (!list)
			std::terminate();
	}
};
NOINLINE void before_types_and_all(unsigned *p)
{
	resource<1> z;
	try {
		must_be_done<2> a;
		work(p);
	} catch (int) {
		value = 25;
	} catch (...) {
		resource<3> b;
		value = 26;
	}
}
NOINLINE void before_a_type(unsigned *p)
{
	resource<1> z;
	try {
		must_be_done<2> a;
		work(p);
	} catch (int) {
		value = 27;
	}
}

// --- Scope guards ---

NOINLINE void guarded(unsigned *p)
{
	undo<1> a;
	work(p);
	keep<1>();
}
NOINLINE void guarded_before_a_handler(unsigned *p)
{
	resource<1> z;
	try {
		undo<2> a;
		work(p);
		keep<2>();
	} catch (...) {
		value = 16;
	}
}
NOINLINE void guarded_in_handlers(unsigned *p)
{
	resource<1> z;
	try {
		resource<2> y;
		try {
			throw 1;
		} catch (...) {
			undo<3> a;
			work(p);
			keep<3>();
		}
	} catch (...) {
		undo<4> b;
		value = 17;
		keep<4>();
	}
}

// Cleanups that are stopped themselves.
template <void (*function)(unsigned *)> struct later {
	unsigned *p;
	~later() noexcept(false) { function(p); }
};
NOINLINE void in_a_cleanup(unsigned *p)
{
	resource<6> z;
	later<guarded> a = { p };
	later<guarded_before_a_handler> b = { p };
	later<guarded_in_handlers> c = { p };
	work(p);
}
NOINLINE void while_thrown(unsigned *p)
{
	try {
		later<guarded> a = { p };
		later<inside_another> b = { p };
		later<guarded_in_handlers> c = { p };
		throw 1;
	} catch (int) {
		value = 18;
	}
}

void (*const each[])(unsigned *) = {
	before_a_handler, inside_another, before_typed_handlers, callee_before_a_handler, three_deep, inside_noexcept,
	before_two_types<lets_out>, before_two_types<calls_out>, of_a_member, in_an_array, in_own_handler, in_the_handler, throws_another,
	before_types_and_all, before_a_type,
	guarded, guarded_before_a_handler, guarded_in_handlers, in_a_cleanup, while_thrown,
};

} // namespace

int main(int argc, char **)
{
	unsigned x, *volatile p = argc > 100 ? nullptr : &x;

	for (auto function : each)
		function(p);
	return 0;
}
