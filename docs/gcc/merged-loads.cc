// SPDX-License-Identifier: MIT
// "store-merging": one load of four, without their landing pad.
// Flags: -O2 -fnon-call-exceptions
// Right: released; caught
// GCC 12.2: caught
// Gone with: -fno-store-merging
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
__attribute__((noipa)) static void f(unsigned char *to, const unsigned char *from)
{
	guard held;
	unsigned char a = from[0], b = from[1], c = from[2], d = from[3];
	to[0] = a, to[1] = b, to[2] = c, to[3] = d;
}
static unsigned char *volatile bad, bytes[4];
int main()
{
	catch_signal(SIGSEGV);
	try {
		f(bytes, bad);
	} catch (int) {
		puts("caught");
	}
}
