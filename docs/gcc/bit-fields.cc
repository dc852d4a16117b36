// SPDX-License-Identifier: MIT
// "store-merging": the load of what stands beside two bit-fields, without a landing pad.
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
struct bits {
	unsigned a : 3, b : 7, c : 22;
};
__attribute__((noipa)) static void f(bits *x)
{
	guard held;
	x->a = 1;
	x->b = 2;
}
static bits *volatile bad;
int main()
{
	catch_signal(SIGSEGV);
	try {
		f(bad);
	} catch (int) {
		puts("caught");
	}
}
