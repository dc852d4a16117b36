// SPDX-License-Identifier: MIT
// "sink": a division is moved behind a constructor, without a landing pad.
// Flags: -O1 -fnon-call-exceptions
// Right: caught
// GCC 12.2: acquired; caught
// Gone with: -fno-tree-sink
#include <csignal>
#include <cstdio>

static void to_exception(int) { throw 1; }
static void catch_signal(int number)
{
	struct sigaction action = {};
	action.sa_handler = to_exception;
	action.sa_flags = SA_NODEFER;
	sigaction(number, &action, nullptr);
}
struct guard {
	guard() { puts("acquired"); }
	~guard() { puts("released"); }
};
static volatile unsigned zero;
__attribute__((noipa)) static void use(unsigned quotient) { printf("%u\n", quotient); }
__attribute__((noipa)) static void f(unsigned a, unsigned b, bool wanted)
{
	unsigned quotient = a / b;
	guard held;
	if (wanted)
		use(quotient);
}
int main()
{
	catch_signal(SIGFPE);
	try {
		f(7, zero, true);
	} catch (int) {
		puts("caught");
	}
}
