// SPDX-License-Identifier: MIT
// "sink": the call of a const function, which throws, is moved behind a constructor, without a landing pad.
// Flags: -O1
// Right: caught
// GCC 12.2: acquired; caught
// Gone with: -fno-tree-sink
#include <cstdio>

struct guard {
	guard() { puts("acquired"); }
	~guard() { puts("released"); }
};
__attribute__((noipa)) static void use(int n) { printf("%d\n", n); }
__attribute__((noipa, const)) static int half(int n)
{
	if (n % 2)
		throw n;
	return n / 2;
}
__attribute__((noipa)) static void f(int n, bool wanted)
{
	int result = half(n);
	guard held;
	if (wanted)
		use(result);
}
int main()
{
	try {
		f(7, true);
	} catch (int) {
		puts("caught");
	}
}
