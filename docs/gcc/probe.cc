// SPDX-License-Identifier: MIT
// -fstack-clash-protection: the probes of an array of variable length have no landing pad.
// Flags: -O2 -fnon-call-exceptions -fstack-clash-protection
// Right: released; caught
// GCC 12.2: caught
#include <csignal>
#include <cstdio>

static void to_exception(int) { throw 1; }
static void catch_signal(int number)
{
	struct sigaction action = {};
	action.sa_handler = to_exception;
	action.sa_flags = SA_NODEFER | SA_ONSTACK;
	sigaction(number, &action, nullptr);
}
struct guard {
	~guard() { puts("released"); }
};
__attribute__((noipa)) static void use(void *) {}
__attribute__((noipa)) static void f(size_t n)
{
	guard held;
	use(__builtin_alloca(n));
}
static char other_stack[65536];
int main()
{
	catch_signal(SIGSEGV);
	try {
		stack_t other = {};
		other.ss_sp = other_stack, other.ss_size = sizeof other_stack;
		sigaltstack(&other, nullptr);
		f(1 << 28);
	} catch (int) {
		puts("caught");
	}
}
