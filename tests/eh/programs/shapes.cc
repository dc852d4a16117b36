// Frames of every shape: what a landing pad finds in its stack pointer and its registers.
#include "language.h"

#include <alloca.h>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <initializer_list>

namespace {

struct Big { unsigned char bytes[4000]; };

__attribute__((noinline)) void take(int how, long a, long b, long c, long d, long e, long f, long g, long h, long i)
{
	if (how)
		throw a + b + c + d + e + f + g + h + i;
}

__attribute__((noinline)) void take_big(int how, Big big, long a, long b, long c, long d, long e, long f, long g)
{
	if (how)
		throw (long)big.bytes[how] + a + b + c + d + e + f + g;
}

// Calls with stack arguments, pushed one by one or not; the pad needs its own rsp back. Values in callee-saved
// registers live across the calls.
__attribute__((noinline)) long pushed(int how, long seed)
{
	Counted counted;
	char local[24];
	std::snprintf(local, sizeof local, "local %ld", seed);
	long one = seed * 3, two = seed * 5, three = seed * 7, four = seed * 11, five = seed * 13;
	try {
		take(how, one, two, three, four, five, one, two, three, four);
		take(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
	} catch (long sum) {
		std::printf("pushed: %s %ld %ld\n", local, sum, one + two + three + four + five);
		return sum;
	}
	return 0;
}

__attribute__((noinline)) void pushed_big(int how)
{
	Counted counted;
	char local[24];
	std::strcpy(local, "big");
	Big big;
	std::memset(&big, how, sizeof big);
	long before = Counted::alive;
	try {
		take_big(how, big, 1, 2, 3, 4, 5, 6, 7);
	} catch (long sum) {
		std::printf("pushed: %s %ld %ld\n", local, sum, before - Counted::alive);
	}
}

__attribute__((noinline)) void fill(char *at, std::size_t size, int with)
{
	std::memset(at, with, size);
	if (with == 'x')
		throw size;
}

__attribute__((noinline)) void with_alloca(std::size_t size)
{
	Counted counted;
	char *space = static_cast<char *>(alloca(size));
	fill(space, size, 'y');
	char local = space[size - 1];
	try {
		Counted inner;
		char *more = static_cast<char *>(alloca(size * 2));
		fill(more, size * 2, 'x');
	} catch (std::size_t thrown) {
		std::printf("alloca: %zu %c %c\n", thrown, local, space[size / 2]);
	}
}

__attribute__((noinline)) void with_array(int n)
{
	Counted counted;
	char space[n];
	fill(space, static_cast<std::size_t>(n), 'z');
	try {
		fill(space + 1, static_cast<std::size_t>(n - 1), 'x');
	} catch (std::size_t thrown) {
		std::printf("array: %zu %c%c\n", thrown, space[0], space[n - 1]);
	}
}

// More than 512 KiB, and more than 65,535 words.
template <std::size_t size> __attribute__((noinline)) void large()
{
	Counted counted;
	char space[size];
	fill(space, size, 'w');
	fill(space, size, 'x');
	std::puts(space);
}

template <std::size_t size> __attribute__((noinline)) void around_large()
{
	long volatile kept = 17;
	try {
		large<size>();
	} catch (std::size_t thrown) {
		std::printf("large: %zu %ld\n", thrown, kept);
	}
}

__attribute__((noinline)) void aligned(int how)
{
	alignas(64) char space[128];
	Counted counted;
	std::memset(space, how, sizeof space);
	try {
		take(how, 1, 1, 1, 1, 1, 1, 1, 1, 1);
	} catch (long) {
		std::printf("aligned: %d %d\n", reinterpret_cast<std::uintptr_t>(space) % 64 == 0, space[127]);
	}
}

// The throw stands in the cold part, which is a function of its own to the tables.
__attribute__((noinline, cold)) void complain(long n) { throw n; }

__attribute__((noinline)) long hot(long n)
{
	Counted counted;
	long sum = 0;
	for (long i = 0; i < n; i++)
		sum += i * n;
	if (__builtin_expect(sum % 97 == 5, 0)) {
		Noisy noisy(70);
		complain(sum);
	}
	return sum;
}

void hot_and_cold()
{
	for (long n = 1; n < 60; n++) {
		try {
			hot(n);
		} catch (long sum) {
			std::printf("cold: %ld %ld\n", n, sum);
		}
	}
}

__attribute__((noinline)) double floats(double a, int how)
{
	double b = a * 2, c = a * 3;
	try {
		take(how, 1, 2, 3, 4, 5, 6, 7, 8, 9);
	} catch (long sum) {
		return b + c + static_cast<double>(sum);
	}
	return b;
}

// A frame that a tail call has replaced, and one whose function never returns.
__attribute__((noinline)) void tail(int how) { take(how, 9, 9, 9, 9, 9, 9, 9, 9, 9); }
[[noreturn]] __attribute__((noinline)) void never(int how)
{
	tail(how);
	__builtin_unreachable();
}

} // namespace

void shapes()
{
	for (int how = 0; how < 3; how++)
		pushed(how, 2 + how);
	pushed_big(0);
	pushed_big(1);
	for (std::size_t size : { 1, 100, 5000, 100000 })
		with_alloca(size);
	for (int n : { 2, 77, 30000 })
		with_array(n);
	around_large<4096>();
	around_large<(512 << 10) + 8>();
	around_large<(1 << 20)>();
	aligned(3);
	hot_and_cold();
	std::printf("floats: %g\n", floats(1.5, 1));
	try {
		Counted counted;
		never(1);
	} catch (long sum) {
		std::printf("never: %ld\n", sum);
	}
}
