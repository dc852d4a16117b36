// SPDX-License-Identifier: MIT
// "bswap": one load of four, without their landing pad.
// Flags: -O2 -fnon-call-exceptions
// Right: released; caught
// GCC 12.2: caught
// Gone with: -fno-expensive-optimizations
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
__attribute__((noipa)) static unsigned f(const unsigned char *p)
{
	guard held;
	return p[0] | p[1] << 8 | p[2] << 16 | (unsigned)p[3] << 24;
}
static unsigned char *volatile bad;
int main()
{
	catch_signal(SIGSEGV);
	try {
		f(bad);
	} catch (int) {
		puts("caught");
	}
}
