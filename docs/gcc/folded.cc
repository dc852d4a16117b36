// SPDX-License-Identifier: MIT
// sprintf is said not to throw; folded it is stores, which may trap, without a landing pad.
// Flags: -O1 -fnon-call-exceptions
// Right: released; caught
// GCC 12.2: caught
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
__attribute__((noipa)) static void f(char *to)
{
	guard held;
	sprintf(to, "text");
}
static char *volatile bad;
int main()
{
	catch_signal(SIGSEGV);
	try {
		f(bad);
	} catch (int) {
		puts("caught");
	}
}
