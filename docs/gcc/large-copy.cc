// SPDX-License-Identifier: MIT
// A copy of a structure becomes a call of memcpy, which is said not to throw.
// Flags: -O2 -fnon-call-exceptions
// Right: released; caught
// GCC 12.2: terminate called after throwing an instance of 'int'
// Gone with: -minline-all-stringops
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
	~guard() { puts("released"); }
};
struct large {
	char bytes[20000];
};
__attribute__((noipa)) static void f(large *to, const large *from)
{
	guard held;
	*to = *from;
}
static large to, *volatile bad;
int main()
{
	catch_signal(SIGSEGV);
	try {
		f(&to, bad);
	} catch (int) {
		puts("caught");
	}
}
