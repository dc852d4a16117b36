// SPDX-License-Identifier: MIT
// RTL's "pre": a landing pad's load is made before the call that changes what is loaded.
// Flags: -O2
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
__attribute__((noipa, pure)) static int check(const int *p)
{
	if (*p)
		throw 2;
	return *p;
}
__attribute__((noipa)) static void f(const int *p)
{
	guard g = {1};
	change(&g);
	sum += g.held;
	sum += check(p);
	change(&g);
}
int main()
{
	static const int zero = 0;
	try {
		f(&zero);
	} catch (int) {
		puts("caught");
	}
}
