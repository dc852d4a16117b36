// SPDX-License-Identifier: MIT
// "sra" between functions: a load is moved from a try block to the caller, which has no handler.
// Flags: -O2 -fnon-call-exceptions
// Right: caught inside; 0; released
// GCC 12.2: terminate called after throwing an instance of 'int'
// Gone with: -fno-ipa-sra
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
struct pair {
	long a, b;
};
__attribute__((noinline)) static long second(const pair *p)
{
	long b = 0;
	try {
		b = p->b;
	} catch (int) {
		puts("caught inside");
	}
	return b;
}
__attribute__((noinline)) static void f(const pair *p)
{
	guard held;
	printf("%ld\n", second(p));
}
static pair *volatile bad;
int main()
{
	catch_signal(SIGSEGV);
	try {
		f(bad);
	} catch (int) {
		puts("caught");
	}
}
