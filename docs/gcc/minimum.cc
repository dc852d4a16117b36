// SPDX-License-Identifier: MIT
// "stv": the load for a minimum becomes a vector's, without its landing pad.
// Flags: -O2 -msse4.1 -fnon-call-exceptions
// Right: released; caught
// GCC 12.2: caught
// Gone with: -mno-stv
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
__attribute__((noipa)) static int least(const int *a, int n)
{
	guard held;
	int least = a[0];
	for (int i = 1; i < n; i++)
		least = a[i] < least ? a[i] : least;
	return least;
}
static int *volatile bad;
int main()
{
	catch_signal(SIGSEGV);
	try {
		least(bad, 9);
	} catch (int) {
		puts("caught");
	}
}
