// SPDX-License-Identifier: MIT
// "dse": a store is taken for dead that the handler of an exception sees.
// Flags: -O1 -fnon-call-exceptions
// Right: 1
// GCC 12.2: 0
// Gone with: -fno-tree-dse -fno-dse
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
__attribute__((noipa)) static void f(int *p, int *q)
{
	*p = 1;
	*q = 2;
	*p = 3;
}
int main()
{
	static int *volatile bad;
	static int n;
	catch_signal(SIGSEGV);
	try {
		f(&n, bad);
	} catch (int) {
		printf("%d\n", n);
	}
}
