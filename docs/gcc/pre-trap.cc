// SPDX-License-Identifier: MIT
// RTL's "pre" again, with an access that may trap in place of the pure function. No signal is raised.
// Flags: -O2 -fnon-call-exceptions
// Right: released 3; caught
// GCC 12.2: released 2; caught
// Gone with: -fno-gcse
#include <cstdio>

static volatile int sum;
struct guard {
	int held;
	~guard() { printf("released %d\n", held); }
};
__attribute__((noipa)) static void change(guard *g)
{
	if (++g->held == 3)
		throw 1;
}
__attribute__((noipa)) static void f(int *p)
{
	guard g = {1};
	change(&g);
	sum += g.held;
	*p += 1;
	change(&g);
}
int main()
{
	int n = 0;
	try {
		f(&n);
	} catch (int) {
		puts("caught");
	}
}
